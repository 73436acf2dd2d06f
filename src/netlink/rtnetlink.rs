//! Dumps over rtnetlink: the network around the rules. Not nf_tables.

use std::io;

use nix::libc;

use super::constants::sys;
use super::message::{Truncated, messages};
use super::socket::Socket;

/// Length of `struct nlmsghdr`.
const NLMSGHDR: usize = 16;

/// Asks for all of one kind; `body` is the family's header of the request.
pub(super) fn dump(
    socket: &mut Socket,
    kind: u16,
    body: &[u8],
    sequence: u32,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let flags = (sys::NLM_F_REQUEST | sys::NLM_F_DUMP) as u16;
    let mut request = Vec::new();
    request.extend_from_slice(&((NLMSGHDR + body.len()) as u32).to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&flags.to_ne_bytes());
    request.extend_from_slice(&sequence.to_ne_bytes());
    request.extend_from_slice(&0u32.to_ne_bytes());
    request.extend_from_slice(body);
    socket.send(&request)?;
    loop {
        for message in messages(socket.receive()?) {
            let message = message?;
            if message.sequence != sequence {
                continue;
            }
            match i32::from(message.kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => {
                    let (errno, _) = message.outcome().ok_or(Truncated)?;
                    return Err(io::Error::from_raw_os_error(errno));
                }
                _ => each(message.body),
            }
        }
    }
}
