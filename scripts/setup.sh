# Sourced by the other scripts: finds the tools they need, and installs on Debian what is missing.
#
#   need build kernel scan      what this script is going to do, see `packages_for`
#   need_rust                   puts a cargo that is new enough on PATH
#   need_sshd                   has an sshd for the tests
#
# As root, or through sudo, missing packages are installed with apt-get; otherwise the exact command is printed.
# shellcheck shell=bash

# The oldest Rust that compiles rfw: `rust-version` in Cargo.toml.
RUST_NEEDED=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)

# `nft` and `ip` live where the PATH of an ordinary user does not lead.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Colours only for a terminal, and only if nobody minds.
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' BLUE=$'\e[34m' PLAIN=$'\e[0m'
else
  BOLD='' DIM='' RED='' GREEN='' BLUE='' PLAIN=''
fi

heading() { printf '\n%s== %s%s\n' "$BOLD$BLUE" "$*" "$PLAIN"; }

fail() {
  printf '%serror:%s %s\n' "$BOLD$RED" "$PLAIN" "$*" >&2
  exit 1
}

# The Debian packages whose tools are missing for a purpose, one a line.
packages_for() {
  case $1 in
    build)
      command -v cc >/dev/null || echo build-essential
      command -v pkg-config >/dev/null || echo pkg-config
      command -v git >/dev/null || echo git
      find_libclang || echo libclang-dev
      # Without certificates cargo cannot fetch a crate.
      [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -n "${SSL_CERT_FILE:-}" ] || echo ca-certificates
      ;;
    kernel)
      command -v unshare >/dev/null || echo util-linux
      command -v nft >/dev/null || echo nftables
      command -v ip >/dev/null || echo iproute2
      command -v ping >/dev/null || echo iputils-ping
      command -v conntrack >/dev/null || echo conntrack
      command -v iptables >/dev/null || echo iptables
      command -v ps >/dev/null || echo procps
      command -v curl >/dev/null || echo curl
      # The tests sign commits, and speak ssh and https.
      command -v ssh-keygen >/dev/null || echo openssh-client
      command -v openssl >/dev/null || echo openssl
      ;;
    scan)
      command -v nmap >/dev/null || echo nmap
      ;;
    talk)
      command -v ncat >/dev/null || echo ncat
      ;;
    *) fail "packages_for: no such purpose: $1" ;;
  esac
}

# bindgen, which one of our dependencies builds with, loads libclang. libclang-cpp, which other packages bring, is another library.
find_libclang() {
  local found
  [ -n "${LIBCLANG_PATH:-}" ] && return
  for found in /usr/lib/llvm-*/lib/libclang[-.]*so* /usr/lib/*-linux-gnu/libclang[-.]*so* /usr/lib*/libclang[-.]*so*; do
    case ${found##*/} in
      libclang-cpp*) ;;
      *) [ ! -e "$found" ] || return 0 ;;
    esac
  done
  return 1
}

# Installs what is missing for these purposes, and checks that it is there.
need() {
  local purpose missing=()
  for purpose in "$@"; do
    mapfile -t -O "${#missing[@]}" missing < <(packages_for "$purpose")
  done
  [ ${#missing[@]} -eq 0 ] && return
  install "${missing[@]}"
  for purpose in "$@"; do
    missing=()
    mapfile -t missing < <(packages_for "$purpose")
    [ ${#missing[@]} -eq 0 ] || fail "still missing after the installation: ${missing[*]}"
  done
}

# Sets `apt` to apt-get as root, through sudo; or tells what whoever can be root should run.
need_root_for() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && as_root=(sudo) || fail "please run as root: $*"
    # Without a terminal nobody can type a password.
    [ -t 0 ] || sudo -n true 2>/dev/null || fail "sudo wants a password; please run: sudo $*"
  fi
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
}

# apt-get install, as root, through sudo, or told to whoever can.
install() {
  command -v apt-get >/dev/null || fail "these tools are missing, and there is no apt-get here; Debian calls them: $*"
  local said apt
  need_root_for apt-get install "$*"
  heading "Installing $*"
  said=$("${apt[@]}" update 2>&1) ||
    printf '%s\napt-get update failed; going on with the package lists that are there\n' "$said" >&2
  said=$("${apt[@]}" install -y --no-install-recommends "$@" 2>&1) || fail "apt-get could not install $*: $said"
}

# The tests start an sshd of their own. Where the machine has none, its package is unpacked beside them and not installed:
# installed, it would open the machine to the network.
need_sshd() {
  local place=${CARGO_TARGET_DIR:-target}/sshd packages=(openssh-server libwrap0) work said apt
  [ ! -x /usr/sbin/sshd ] && [ ! -x "$place/usr/sbin/sshd" ] || return 0
  command -v apt-get >/dev/null || fail "the tests need /usr/sbin/sshd, and there is no apt-get here; Debian calls it: ${packages[0]}"
  heading "Fetching ${packages[*]}"
  work=$(mktemp -d)
  if ! (cd "$work" && apt-get -qq download "${packages[@]}") >/dev/null 2>&1; then
    # The package lists are old, or there are none.
    need_root_for apt-get update
    said=$("${apt[@]}" update 2>&1) || printf '%s\napt-get update failed\n' "$said" >&2
    said=$(cd "$work" && apt-get -qq download "${packages[@]}" 2>&1) || fail "apt-get could not download ${packages[*]}: $said"
  fi
  for said in "$work"/*.deb; do
    dpkg-deb -x "$said" "$work/all"
  done
  mv "$work/all"/usr/lib/*-linux-gnu "$work/all/usr/lib/sshd"
  mkdir -p "${place%/*}"
  rm -rf "$place"
  mv "$work/all" "$place"
  rm -rf "$work"
}

# True if cargo is there and not older than RUST_NEEDED.
rust_is_new_enough() {
  local version
  version=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || return
  [ -n "$version" ] && printf '%s\n' "$RUST_NEEDED" "$version" | sort --check --version-sort 2>/dev/null
}

# A Rust that is new enough: the one on PATH, the one that rustup put into ~/.cargo, or Debian 12's own current one.
need_rust() {
  if ! rust_is_new_enough && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  fi
  if ! rust_is_new_enough; then
    # Debian 12 keeps a current Rust for its browsers, by these names; it takes the place of the old rustc and cargo.
    install rustc-web cargo-web rustfmt-web rust-web-clippy
    hash -r
  fi
  rust_is_new_enough || fail "cargo is $(cargo --version 2>/dev/null || echo missing), and rfw needs $RUST_NEEDED"
}
