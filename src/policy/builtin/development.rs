//! Making software: repositories, builds, packages, configuration of fleets.

services! { const DEVELOPMENT =
    "apt-cacher-ng"    [tcp 3142]                ("package cache", "apt-cacher-ng manual, Port: 3142; IANA apt-cacher")
    "cfengine"         [tcp 5308]                ("CFEngine", "IANA; CFEngine documentation")
    "cvs-pserver"      [tcp 2401]                ("CVS", "IANA cvspserver")
    "distcc"           [tcp 3632]                ("distributed compiler", "IANA; distccd(1)")
    "docker-registry"  [tcp 5000]                ("container images", "Distribution documentation, Deploying a registry: 5000")
    "gerrit-ssh"       [tcp 29418]               ("Gerrit over ssh", "Gerrit documentation, sshd.listenAddress: 29418")
    "git"              [tcp 9418]                ("git daemon, not encrypted", "IANA; git-daemon(1)")
    "hkp"              [tcp 11371]               ("OpenPGP keys", "IANA hkp")
    "jenkins-agent"    [tcp 50000]               ("Jenkins agents", "Jenkins Docker image documentation: 50000")
    "kms"              [tcp 1688]                ("Windows activation", "Microsoft, Configure KMS: 1688")
    "perforce"         [tcp 1666]                ("Perforce", "Perforce documentation, P4PORT: 1666")
    "puppet"           [tcp 8140]                ("Puppet server", "Puppet documentation, Firewall configuration: 8140")
    "salt"             [tcp 4505-4506]           ("Salt master", "Salt documentation, Opening the firewall: 4505 and 4506")
    "svn"              [tcp 3690]                ("Subversion", "IANA; svnserve(8)")
    "teleport"         [tcp 3023-3026]           ("Teleport proxy, tunnels, auth, Kubernetes", "Teleport documentation, Networking: 3023 to 3026")
    "wsus"             [tcp 8530-8531]           ("Windows updates of one's own", "Microsoft, WSUS: 8530 and 8531")
}
