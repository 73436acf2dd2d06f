//! The web: servers, proxies, caches.

services! { const WEB =
    "ajp"          [tcp 8009]            ("Apache JServ protocol to a Tomcat", "Apache Tomcat, AJP Connector: 8009 in the server.xml it ships")
    "fastcgi-php"  [tcp 9000]            ("PHP-FPM over the network", "PHP manual, FPM configuration: listen = 127.0.0.1:9000")
    "gemini"       [tcp 1965]            ("Gemini pages", "Gemini network protocol specification: 1965")
    "gopher"       [tcp 70]              ("Gopher pages", "IANA; RFC 1436")
    "http"         [tcp 80]              ("web pages, not encrypted", "IANA; RFC 9110")
    "http-alt"     [tcp 8080]            ("web pages on the alternative port", "IANA http-alt")
    "https"        [tcp 443]             ("web pages over TLS", "IANA; RFC 9110")
    "https-alt"    [tcp 8443]            ("web pages over TLS on the alternative port", "Apache Tomcat, SSL/TLS HOW-TO: 8443; IANA pcsync-https")
    "icap"         [tcp 1344]            ("content adaptation for proxies", "IANA; RFC 3507")
    "quic"         [udp 443]             ("HTTP/3", "IANA https on udp; RFC 9114, section 3.1")
    "socks"        [tcp 1080]            ("SOCKS proxy", "IANA; RFC 1928")
    "squid"        [tcp 3128]            ("Squid web proxy", "Squid configuration reference, http_port: 3128")
    "tor-relay"    [tcp 9001]            ("Tor relay", "Tor manual, torrc example: ORPort 9001")
    "tor-socks"    [tcp 9050]            ("SOCKS proxy of a Tor client", "Tor manual: SocksPort 9050")
    "varnish"      [tcp 6081]            ("Varnish web cache", "varnishd of the Debian and Red Hat packages: -a :6081")
}
