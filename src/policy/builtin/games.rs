//! Games and file sharing among equals.

services! { const GAMES =
    "bitcoin"             [tcp 8333]                     ("Bitcoin nodes", "Bitcoin Core: main network port 8333; IANA bitcoin")
    "bittorrent"          [tcp 6881-6889, udp 6881-6889] ("BitTorrent", "BEP 3: 6881 to 6889; BEP 5")
    "ethereum"            [tcp 30303, udp 30303]         ("Ethereum nodes", "go-ethereum documentation, --port: 30303")
    "factorio"            [udp 34197]                    ("Factorio server", "Factorio wiki, Multiplayer: 34197")
    "ipfs"                [tcp 4001, udp 4001]           ("IPFS swarm", "Kubo documentation, Addresses.Swarm: 4001")
    "luanti"              [udp 30000]                    ("Luanti (Minetest) server", "minetest.conf.example: port 30000")
    "minecraft"           [tcp 25565]                    ("Minecraft Java server", "server.properties: server-port 25565; IANA minecraft")
    "minecraft-bedrock"   [udp 19132-19133]              ("Minecraft Bedrock server, IPv4 and IPv6", "Bedrock server.properties: 19132, 19133")
    "openttd"             [tcp 3979, udp 3979]           ("OpenTTD server", "OpenTTD multiplayer documentation: 3979")
    "quake3"              [udp 27960]                    ("Quake III Arena server", "Quake III Arena: net_port 27960")
    "source-engine"       [tcp 27015, udp 27015]         ("Valve game servers: game and rcon", "Valve developer wiki, Source Dedicated Server: 27015")
    "terraria"            [tcp 7777]                     ("Terraria server", "Terraria serverconfig.txt: port 7777")
    "transmission-peers"  [tcp 51413, udp 51413]         ("BitTorrent, Transmission's port", "Transmission documentation, peer-port: 51413")
    "valheim"             [udp 2456-2457]                ("Valheim server", "Valheim dedicated server manual: 2456-2457")
    "xbox-live"           [tcp 3074, udp 3074]           ("Xbox network", "Xbox support, network ports; IANA xbox")
}
