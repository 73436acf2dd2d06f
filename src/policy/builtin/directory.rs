//! Who is who: directories, authentication, accounting, secrets.

services! { const DIRECTORY =
    "diameter"            [tcp 3868, sctp 3868]     ("Diameter", "IANA; RFC 6733")
    "freeipa"             [tcp 80, tcp 88, tcp 389, tcp 443, tcp 464, tcp 636, udp 88, udp 464]
                                                    ("FreeIPA server for its clients", "FreeIPA documentation, ipa-server-install: ports to open")
    "global-catalog"      [tcp 3268-3269]           ("Active Directory global catalogue, plain and TLS", "IANA msft-gc, msft-gc-ssl")
    "ident"               [tcp 113]                 ("user of a connection", "IANA auth; RFC 1413")
    "kadmin"              [tcp 749]                 ("Kerberos administration", "IANA kerberos-adm; kadmind(8)")
    "kerberos"            [tcp 88, udp 88]          ("Kerberos tickets", "IANA; RFC 4120")
    "kpasswd"             [tcp 464, udp 464]        ("Kerberos passwords", "IANA; RFC 3244")
    "ldap"                [tcp 389]                 ("directory, with STARTTLS", "IANA; RFC 4511")
    "ldaps"               [tcp 636]                 ("directory over TLS", "IANA")
    "msrpc"               [tcp 135]                 ("Windows RPC endpoint mapper", "IANA epmap; MS-RPCE, section 2.1.1.1")
    "radius"              [udp 1812-1813]           ("network access, authentication and accounting", "IANA; RFC 2865; RFC 2866")
    "radius-coa"          [udp 3799]                ("RADIUS change of authorization", "IANA radius-dynauth; RFC 5176")
    "radsec"              [tcp 2083]                ("RADIUS over TLS", "IANA; RFC 6614")
    "samba-ad-dc"         [tcp 53, tcp 88, tcp 135, tcp 139, tcp 389, tcp 445, tcp 464, tcp 636, tcp 3268-3269, tcp 49152-65535,
                           udp 53, udp 88, udp 123, udp 137-138, udp 389, udp 464]
                                                    ("Active Directory domain controller", "Samba wiki, Samba AD DC Port Usage; Microsoft, Service overview and network port requirements")
    "tacacs"              [tcp 49]                  ("TACACS+", "IANA; RFC 8907")
    "vault"               [tcp 8200-8201]           ("HashiCorp Vault, API and cluster", "Vault documentation, listener: 8200, cluster 8201")
    "whois"               [tcp 43]                  ("owners of domains and addresses", "IANA nicname; RFC 3912")
}
