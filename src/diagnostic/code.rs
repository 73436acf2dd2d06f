//! Every diagnostic there is: its name and what it means. Each has an example in `policies/invalid/`.

use std::fmt;

/// Makes [`Code`] from a table: one line per diagnostic.
macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal,)*) => {
        /// Which statement a diagnostic makes; stable between versions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The kebab-case name, as in `error[unknown-key]`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// What it means, in one line.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    // The text is no policy at all.
    TooLarge "too-large" "a file, a value or the whole policy is larger than allowed",
    NotUtf8 "not-utf8" "the file is not text in UTF-8",
    Utf16 "utf-16" "the file is encoded in UTF-16 or UTF-32",
    ByteOrderMark "byte-order-mark" "the file begins with an invisible byte order mark",
    ControlCharacter "control-character" "the file holds a character that is no text, such as NUL or escape",
    ConflictMarker "conflict-marker" "a merge left conflict markers in the file",
    LfsPointer "lfs-pointer" "the file is a Git LFS pointer, not the content it stands for",
    EmptyPolicy "empty-policy" "the file holds nothing but comments; it is never read as `delete everything`",
    // The text is no YAML, or more YAML than the language takes.
    YamlSyntax "yaml-syntax" "the text is not valid YAML",
    Tab "tab" "a tab where YAML wants spaces",
    UnterminatedQuote "unterminated-quote" "a quote that is opened and never closed",
    Anchor "anchor" "an anchor (`&name`): the language has no copies, use groups and services",
    Alias "alias" "an alias (`*name`): the language has no copies, use groups and services",
    Tag "tag" "a YAML tag (`!name`): the language has none",
    MergeKey "merge-key" "a merge key (`<<`): the language has none",
    SeveralDocuments "several-documents" "a second YAML document in one file",
    TooDeep "too-deep" "nested more than 32 levels deep",
    DuplicateKey "duplicate-key" "a key that is written twice in one map",
    ComplexKey "complex-key" "a key that is a list or a map",
    DefinedTwice "defined-twice" "a name or setting that two files of one policy define",
    NumberSpelling "number-spelling" "a number in a spelling other than plain decimal",
    AmbiguousValue "ambiguous-value" "a value that YAML readers understand differently",
    // The files of a policy do not fit together.
    BadPath "bad-path" "a path in `include` or `file` that could lead out of the policy's own directory, or is none",
    NoSuchFile "no-such-file" "an `include` that matches no file, or a `file` that is not there",
    NotAFile "not-a-file" "a file of the policy that is a directory, a device, a pipe or a link that leads nowhere",
    LeadsOut "leads-out" "a link that leads out of the policy's own directory",
    IncludeCycle "include-cycle" "a file that includes itself, directly or by another",
    IncludeTooDeep "include-too-deep" "includes that are nested more than 8 files deep",
    // The document has another shape than the language.
    UnknownKey "unknown-key" "a key that the language does not have",
    UnsupportedKey "unsupported-key" "a key of the language that this version does not do yet",
    UnsupportedVersion "unsupported-version" "a policy written for another version of the language",
    MissingKey "missing-key" "a key that is needed and not there",
    WrongType "wrong-type" "a value of another kind than expected, such as text for a list",
    EmptyValue "empty-value" "a key without a value",
    EmptyList "empty-list" "a list or map without entries where one is needed",
    RepeatedItem "repeated-item" "the same entry twice in one list",
    UnknownValue "unknown-value" "a word that is none of the possible ones",
    OutOfRange "out-of-range" "a number that is too small or too large",
    // A value that cannot be read.
    BadName "bad-name" "a name with characters that names do not have",
    NameTooLong "name-too-long" "a name of more than 63 characters",
    ReservedName "reserved-name" "a name that the language keeps for itself",
    BadInterface "bad-interface" "no name that an interface can have",
    InterfaceTooLong "interface-too-long" "an interface name of more than 15 characters",
    BadAddress "bad-address" "no address, prefix or range",
    LeadingZero "leading-zero" "a number with leading zeros, which some programs read as octal",
    MappedAddress "mapped-address" "an IPv4 address written as an IPv6 one",
    ScopedAddress "scoped-address" "an IPv6 address with an interface (`%eth0`)",
    BadPrefixLength "bad-prefix-length" "a prefix length that the address family does not have",
    HostBitsSet "host-bits-set" "a prefix whose address has bits beyond the prefix length",
    HostPartAlone "host-part-alone" "the host part of an IPv6 address where a whole address is needed",
    MixedFamilies "mixed-families" "a range from one address family to the other",
    ReversedRange "reversed-range" "a range that ends before it begins",
    BadPort "bad-port" "no port and no range of ports",
    PortOutOfRange "port-out-of-range" "a port that is not within 1-65535",
    BadIcmpType "bad-icmp-type" "no ICMP type",
    UnknownProtocol "unknown-protocol" "no IP protocol",
    BadRate "bad-rate" "no rate such as `5/minute`",
    ZeroRate "zero-rate" "a rate of nothing",
    BadLogPrefix "bad-log-prefix" "a log prefix with characters that would spoil the log",
    BadText "bad-text" "text with control or direction characters",
    TextTooLong "text-too-long" "text that is longer than the kernel or the log takes",
    BadDate "bad-date" "no day of the calendar",
    BadDuration "bad-duration" "no span of time such as `6h`",
    BadSetSource "bad-set-source" "no address on the web and no name that a set could come from",
    BadTime "bad-time" "no time of day",
    UnknownTimezone "unknown-timezone" "no time zone of the IANA database",
    // A name that means nothing, or not what stands here.
    UnknownZone "unknown-zone" "a zone that the policy does not define",
    UnknownService "unknown-service" "a service that is neither the policy's own nor built in",
    UnknownGroup "unknown-group" "a group or zone that the policy does not define",
    UnknownSchedule "unknown-schedule" "a schedule that the policy does not define",
    UnknownSet "unknown-set" "a set that the policy does not define",
    SetInGroup "set-in-group" "a set as part of a group",
    SetNotDynamic "set-not-dynamic" "`add_source_to` with a set that is fetched",
    SetTwoSources "set-two-sources" "a set that is both dynamic and fetched",
    MisplacedSetKey "misplaced-set-key" "a key that sets of this kind do not have",
    SetWithoutSource "set-without-source" "a set that nothing can fill",
    GroupCycle "group-cycle" "a group that is part of itself",
    GroupTooDeep "group-too-deep" "groups of groups of groups, more than 32 deep",
    ZoneInGroup "zone-in-group" "a zone as part of a group",
    ZoneWithoutNetworks "zone-without-networks" "a zone used as addresses that does not say which it has",
    FirewallAsAddress "firewall-as-address" "the box itself used as an address",
    OverlappingEntries "overlapping-entries" "two entries of one list that hold the same addresses",
    OverlappingPorts "overlapping-ports" "two ranges of one service that hold the same ports",
    HelperProtocol "helper-protocol" "a conntrack helper on ports that it cannot follow",
    RejectWithoutReject "reject-without-reject" "`reject_with` on a rule that does not reject",
    NatOfFirewall "nat-of-firewall" "address translation for the box itself",
    DnatTwoTargets "dnat-two-targets" "a `dnat` entry with both `to` and `balance`",
    DnatWithoutTarget "dnat-without-target" "a `dnat` entry with neither `to` nor `balance`",
    HairpinWithoutZone "hairpin-without-zone" "`hairpin` for hosts that no zone's networks hold",
    HairpinWithSource "hairpin-with-source" "`hairpin` and `source` in one `dnat` entry",
    // Names that say two things.
    DuplicatePolicy "duplicate-policy" "two policies of one name",
    DuplicateRule "duplicate-rule" "two rules of one name in one policy",
    DuplicateRaw "duplicate-raw" "two raw blocks of one name",
    DuplicateNat "duplicate-nat" "two translations of one name",
    NameClash "name-clash" "a group or set with the name of a zone or of each other",
    RuleNameTooLong "rule-name-too-long" "policy and rule names that the kernel cannot keep together",
    ShadowsBuiltin "shadows-builtin" "an own service that differs from the built-in one of its name",
    ServiceTwice "service-twice" "a service that is listed twice",
    UnusedZone "unused-zone" "a zone that no policy speaks of",
    UnusedGroup "unused-group" "a group that nothing refers to",
    UnusedSet "unused-set" "a set that no rule asks",
    UnfilledSet "unfilled-set" "a dynamic set that no rule adds to",
    UnusedService "unused-service" "a service that nothing refers to",
    UnusedSchedule "unused-schedule" "a schedule that no rule has",
    // Zones that are not apart.
    NodeNeeded "node-needed" "a policy for several nodes, and nobody says which of them this is",
    UnknownNode "unknown-node" "a node that the policy does not define",
    UnmappedInterface "unmapped-interface" "an interface of a zone that a node has no name for",
    UnusedMapping "unused-mapping" "an interface of a node that no zone lists",
    InterfaceMappedTwice "interface-mapped-twice" "two interfaces of the policy that are one on a node",
    InterfaceInTwoZones "interface-in-two-zones" "an interface that two zones claim",
    RedundantInterface "redundant-interface" "an interface that its zone has by a beginning of names already",
    LoopbackInZone "loopback-in-zone" "the loopback interface as part of a zone",
    OverlappingNetworks "overlapping-networks" "networks of two zones that hold the same addresses",
    MatchWithoutNetworks "match-without-networks" "`match: address` on a zone that does not say which addresses",
    SameNetwork "same-network" "one network of two zones that are told apart by it",
    NoAddressLeft "no-address-left" "a zone whose networks are all those of other zones on its interfaces",
    DecidedElsewhere "decided-elsewhere" "requests from addresses that a zone told by address does not have",
    ZoneBesideAny "zone-beside-any" "a zone in a list that has `any` already",
    FirewallToItself "firewall-to-itself" "a policy from the box to itself",
    // Policies and rules that do nothing, or not what they look like.
    PolicyDoesNothing "policy-does-nothing" "a policy without `default` and without rules",
    LogWithoutDefault "log-without-default" "a policy that logs its `default` and has none",
    ResetWithoutTcp "reset-without-tcp" "a TCP reset as the answer to other protocols",
    LimitOnBlock "limit-on-block" "a limit on a rule that drops or rejects: the rest goes on",
    MatchesNothing "matches-nothing" "a selector that leaves no address",
    FamiliesNeverMeet "families-never-meet" "IPv4 on one side and IPv6 on the other",
    LivesElsewhere "lives-elsewhere" "addresses that the zones of their end do not have",
    BlocksEverybody "blocks-everybody" "a block list that holds every address",
    UnreachableRule "unreachable-rule" "a rule after one that decides everything",
    ShadowedRule "shadowed-rule" "a rule that earlier ones leave nothing to",
    UnreachableDefault "unreachable-default" "a `default` after a rule that decides everything",
    UnreachablePolicy "unreachable-policy" "a policy between zones that an earlier one has ended",
    NoWayIn "no-way-in" "a policy that lets nobody reach the box itself",
    NeverOpen "never-open" "a schedule that is open at no time",
    ScheduleOver "schedule-over" "a schedule that was open for the last time",
    BeyondHorizon "beyond-horizon" "a schedule that should be open after the last day for which times are compiled",
    ExpiresSoon "expires-soon" "a rule in the last two weeks of its time",
    ExpiredRule "expired-rule" "a rule after its last day",
    // Settings of the box.
    ThresholdsReversed "thresholds-reversed" "a neighbour threshold that is less than the one before it",
    NeighboursUnknown "neighbours-unknown" "`neighbour: auto` without networks to count",
    NeighboursTooMany "neighbours-too-many" "networks with more addresses than `neighbour: auto` makes room for",
    ForwardingOff "forwarding-off" "address translation on a box that does not forward",
    // Tests that test nothing.
    DuplicateTest "duplicate-test" "two tests of one name",
    IncompleteTest "incomplete-test" "a test that does not say all of what it tests",
    MisplacedTestKey "misplaced-test-key" "a key that tests of this kind do not have",
    ImpossibleTest "impossible-test" "a test that contradicts itself, or that no packet is like",
    ImpossibleMoment "impossible-moment" "a time that no clock shows, or that no schedule is compiled for",
    UnknownRule "unknown-rule" "a rule that the policy does not have",
    UnknownInterface "unknown-interface" "an interface that no zone has",
    CountWithoutBalance "count-without-balance" "connections to count where nothing shares them out in turn",
    AddressInNoZone "address-in-no-zone" "an address of a test that no zone has",
    // Translations that cannot be.
    NatToItself "nat-to-itself" "a zone on both sides of a translation",
    NatWithoutPorts "nat-without-ports" "a forward for a service that is more, or other, than ports",
    SeveralPortsToOne "several-ports-to-one" "a new port for several ports at once",
    UnequalPortRanges "unequal-port-ranges" "a new range of ports that is not as long as the old one",
    OffloadWithoutFlowtable "offload-without-flowtable" "`offload` on a rule of a policy without `flowtable`",
    OffloadOfBlock "offload-of-block" "`offload` on a rule that accepts nothing",
    OffloadPastSchedule "offload-past-schedule" "`offload` on a rule whose schedule ends running connections",
    FlowtableByPrefix "flowtable-by-prefix" "a flowtable of interfaces that are only named by their beginning",
    UnusedFlowtable "unused-flowtable" "a `flowtable` that no rule uses",
    // Rules in nft's own words.
    RawSyntax "raw-syntax" "a raw rule that nft does not understand",
    RawNotPossible "raw-not-possible" "a raw rule that leads out of its chain, or that rfw could not keep as it is",
    UnequalPrefixes "unequal-prefixes" "two networks of different size that should be mapped host by host",
    Nptv6OfIpv4 "nptv6-of-ipv4" "an IPv4 network in `nptv6`",
    BackendTwice "backend-twice" "a backend that is listed twice",
    MixedBackends "mixed-backends" "IPv4 and IPv6 backends in one entry",
    WeightsTooLarge "weights-too-large" "weights of more than 1024 together",
    ImpossibleAddress "impossible-address" "a translation to an address that no host has",
    NatChangesFamily "nat-changes-family" "a translation from one address family to the other",
    BackendInNoZone "backend-in-no-zone" "a backend that no zone's networks hold",
    NeedsHairpin "needs-hairpin" "a forward for the hosts' own zone without `hairpin`",
    OverlappingForwards "overlapping-forwards" "two forwards for one port and destination",
    ShadowedMasquerade "shadowed-masquerade" "a masquerade that earlier ones leave nothing to",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_kebab_case_and_differ() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')),
                "{name}"
            );
        }
    }

    #[test]
    fn meanings_are_one_line_without_a_full_stop() {
        for code in Code::ALL {
            let meaning = code.meaning();
            assert!(
                !meaning.contains('\n') && !meaning.ends_with('.'),
                "{code}: {meaning}"
            );
        }
    }
}
