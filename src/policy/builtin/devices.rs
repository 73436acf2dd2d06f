//! Printers, scanners, players and the house.

services! { const DEVICES =
    "cwmp"            [tcp 7547]                          ("provider's access to routers, TR-069", "IANA; Broadband Forum TR-069")
    "esphome"         [tcp 6053]                          ("ESPHome devices", "ESPHome documentation, native API: 6053")
    "home-assistant"  [tcp 8123]                          ("Home Assistant", "Home Assistant documentation, http: 8123")
    "ipp"             [tcp 631]                           ("printing, CUPS", "IANA; RFC 8010")
    "jellyfin"        [tcp 8096, tcp 8920, udp 7359]      ("Jellyfin: web, web over TLS, discovery", "Jellyfin documentation, Networking")
    "jetdirect"       [tcp 9100]                          ("raw printing", "IANA pdl-datastream")
    "knxnet-ip"       [udp 3671]                          ("KNX building control", "IANA efcp; KNXnet/IP core")
    "lorawan-gateway" [udp 1700]                          ("LoRaWAN packet forwarder", "ChirpStack Gateway Bridge documentation, Semtech UDP backend: 1700")
    "lpd"             [tcp 515]                           ("line printers", "IANA printer; RFC 1179")
    "matter"          [udp 5540]                          ("Matter devices", "Matter core specification: 5540")
    "mikrotik-api"    [tcp 8728-8729]                     ("RouterOS API, plain and TLS", "MikroTik RouterOS documentation, Services")
    "mikrotik-winbox" [tcp 8291]                          ("RouterOS Winbox", "MikroTik RouterOS documentation, Services")
    "minidlna"        [tcp 8200]                          ("media server", "minidlna.conf(5): port 8200")
    "plex"            [tcp 32400]                         ("Plex Media Server", "Plex support, What network ports: 32400")
    "sane"            [tcp 6566] helper "sane"            ("scanners; the helper follows the picture", "IANA sane-port; saned(8)")
    "unifi"           [tcp 8080, udp 3478, udp 10001]     ("UniFi devices to their controller", "Ubiquiti help centre, UniFi required ports")
    "wsdapi"          [tcp 5357-5358]                     ("Windows devices, printers, plain and TLS", "IANA wsdapi, wsdapi-s")
}
