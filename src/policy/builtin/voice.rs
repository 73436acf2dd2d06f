//! Telephones, conferences and streams.

services! { const VOICE =
    "asterisk-rtp"          [udp 10000-20000]              ("voice of an Asterisk", "Asterisk rtp.conf.sample: rtpstart 10000, rtpend 20000")
    "bigbluebutton-media"   [udp 16384-32768]              ("voice and video of BigBlueButton", "BigBlueButton documentation, Configure your firewall")
    "h323"                  [tcp 1720] helper "Q.931"      ("H.323 calls", "IANA h323hostcall; nf_conntrack_h323_main.c")
    "h323-ras"              [udp 1719] helper "RAS"        ("H.323 gatekeeper", "IANA h323gatestat; nf_conntrack_h323_main.c")
    "iax2"                  [udp 4569]                     ("Asterisk trunks", "IANA iax; RFC 5456")
    "jitsi-videobridge"     [udp 10000]                    ("voice and video of Jitsi", "Jitsi Meet handbook, self-hosting: 10000")
    "mgcp"                  [udp 2427, udp 2727]           ("media gateway control", "IANA mgcp-gateway, mgcp-callagent; RFC 3435")
    "ms-teams-media"        [udp 3478-3481]                ("voice and video of Microsoft Teams", "Microsoft 365 URLs and IP address ranges, id 11")
    "msrp"                  [tcp 2855]                     ("messages in a SIP session", "IANA; RFC 4975")
    "mumble"                [tcp 64738, udp 64738]         ("Mumble", "Mumble documentation, server: 64738")
    "rtmp"                  [tcp 1935]                     ("Flash streams, still used for ingest", "IANA macromedia-fcs; Adobe RTMP 1.0")
    "rtsp"                  [tcp 554, udp 554]             ("control of streams, cameras", "IANA; RFC 7826")
    "sip"                   [tcp 5060, udp 5060] helper "sip" ("calls; the helper follows the voice", "IANA; RFC 3261")
    "sips"                  [tcp 5061]                     ("calls over TLS: the voice is not followed", "IANA; RFC 3261")
    "skinny"                [tcp 2000]                     ("Cisco telephones", "IANA cisco-sccp")
    "stun"                  [tcp 3478, udp 3478]           ("which address NAT gave me", "IANA; RFC 8489")
    "teamspeak"             [udp 9987, tcp 30033]          ("TeamSpeak 3: voice and files", "TeamSpeak support, Which ports does the server use")
    "turn"                  [tcp 3478, tcp 5349, udp 3478, udp 5349] ("relay for hosts behind NAT", "IANA turn, turns; RFC 8656")
    "turn-relay"            [udp 49152-65535]              ("ports that a TURN server hands out", "RFC 8656, section 7.2; coturn: min-port 49152, max-port 65535")
}
