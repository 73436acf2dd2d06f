//! Mail: transport, mailboxes, filters, news.

services! { const MAIL =
    "clamd"        [tcp 3310]                      ("ClamAV virus scanner", "clamd.conf(5): TCPSocket 3310")
    "dcc"          [udp 6277]                      ("Distributed Checksum Clearinghouse", "dccd(8): 6277")
    "imap"         [tcp 143]                       ("mailboxes, with STARTTLS", "IANA; RFC 9051")
    "imaps"        [tcp 993]                       ("mailboxes over TLS", "IANA; RFC 8314")
    "managesieve"  [tcp 4190]                      ("mail filter scripts", "IANA sieve; RFC 5804")
    "nntp"         [tcp 119]                       ("network news", "IANA; RFC 3977")
    "nntps"        [tcp 563]                       ("network news over TLS", "IANA; RFC 4642")
    "pop3"         [tcp 110]                       ("fetching mail, with STARTTLS", "IANA; RFC 1939")
    "pop3s"        [tcp 995]                       ("fetching mail over TLS", "IANA; RFC 8314")
    "pyzor"        [udp 24441]                     ("Pyzor spam digests", "Pyzor manual, pyzord: 24441")
    "qmqp"         [tcp 628]                       ("handing mail to a smart host, qmail and Postfix", "IANA; qmqpd(8)")
    "razor"        [tcp 2703]                      ("Vipul's Razor spam catalogue", "razor-agent.conf(5): 2703")
    "rspamd"       [tcp 11332-11334]               ("Rspamd proxy, scanner and controller", "Rspamd documentation, workers: 11332, 11333, 11334")
    "smtp"         [tcp 25]                        ("mail between servers", "IANA; RFC 5321")
    "spamd"        [tcp 783]                       ("SpamAssassin", "spamd(1): 783")
    "submission"   [tcp 587]                       ("mail from users, with STARTTLS", "IANA; RFC 6409")
    "submissions"  [tcp 465]                       ("mail from users over TLS", "IANA; RFC 8314")
}
