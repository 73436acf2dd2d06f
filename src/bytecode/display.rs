//! Instructions in the notation of `nft --debug=netlink`, one line each.
