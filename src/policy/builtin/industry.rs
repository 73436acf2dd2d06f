//! Factories, buildings, sensors and hospitals.

services! { const INDUSTRY =
    "bacnet"       [udp 47808]                ("BACnet/IP building automation", "IANA bacnet; ASHRAE 135, annex J")
    "coap"         [udp 5683]                 ("constrained devices", "IANA; RFC 7252")
    "coaps"        [udp 5684]                 ("constrained devices over DTLS", "IANA; RFC 7252")
    "dicom"        [tcp 104, tcp 11112]       ("medical images", "IANA acr-nema, dicom; DICOM PS3.8")
    "dnp3"         [tcp 20000, udp 20000]     ("utilities telecontrol", "IANA dnp; IEEE 1815")
    "ethernet-ip"  [tcp 44818, udp 44818, udp 2222] ("Rockwell and ODVA controllers", "IANA EtherNet-IP-1, EtherNet-IP-2; ODVA")
    "hl7-mllp"     [tcp 2575]                 ("medical records", "IANA hl7")
    "iec-104"      [tcp 2404]                 ("grid telecontrol", "IANA iec-104; IEC 60870-5-104")
    "iso-tsap"     [tcp 102]                  ("Siemens S7, IEC 61850 MMS", "IANA iso-tsap; RFC 1006")
    "modbus"       [tcp 502]                  ("Modbus TCP", "IANA mbap; Modbus messaging on TCP/IP")
    "modbus-tls"   [tcp 802]                  ("Modbus over TLS", "IANA mbap-s; Modbus/TCP security")
    "opcua"        [tcp 4840]                 ("OPC unified architecture", "IANA opcua-tcp; OPC 10000-6")
    "profinet"     [tcp 34962-34964, udp 34962-34964] ("PROFINET", "IANA profinet-rt, profinet-rtm, profinet-cm")
}
