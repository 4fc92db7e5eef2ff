//! Names nobody else has. Always drawn from the system's randomness (never a generator of our own),
//! so that a forked child cannot repeat its parent's.

use uuid::{Builder, Uuid};

/// Jids drawn at a time: each time is a call of the system, which costs as much as all else about a job.
const JIDS: usize = 64;

/// A new jid: 32 hex digits.
pub(crate) fn jid() -> String {
    Uuid::new_v4().simple().to_string()
}

/// So many new jids. What is drawn and not yet taken is the iterator's.
pub(crate) fn jids(count: usize) -> impl Iterator<Item = String> {
    let draw = move |from: usize| {
        let mut bytes = [[0; 16]; JIDS];
        let some = JIDS.min(count - from);
        let drawn = getrandom::fill(bytes[..some].as_flattened_mut());
        // Without it nothing here could be told from another's, and std's HashMap panics as well.
        drawn.unwrap_or_else(|error| panic!("the system has no randomness: {error}"));
        bytes.into_iter().take(some)
    };
    let text = |bytes| Builder::from_random_bytes(bytes).into_uuid().simple().encode_lower(&mut [0; 32]).to_owned();
    (0..count).step_by(JIDS).flat_map(draw).map(text)
}

/// A new caller id for a lane: 16 hex digits.
pub(crate) fn caller() -> String {
    hex(16)
}

/// A new worker name: `host:pid:8 hex digits`.
pub(crate) fn worker() -> String {
    format!("{}:{}:{}", host(), std::process::id(), hex(8))
}

/// The machine's name, or `localhost` when it has none.
pub(crate) fn host() -> String {
    let mut buffer = [0_u8; 256];
    // SAFETY: the pointer and the length describe `buffer`, whose last byte stays 0.
    let failed = unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len() - 1) } != 0;
    let length = buffer.iter().position(|byte| *byte == 0).unwrap_or(0);
    match std::str::from_utf8(&buffer[..length]) {
        Ok(name) if !failed && !name.is_empty() => name.to_owned(),
        _ => "localhost".to_owned(),
    }
}

/// How much memory this process has in use, in bytes; None where the system does not say.
pub(crate) fn memory() -> Option<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = sizes.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: sysconf only reads.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).ok()?)
}

/// 16 hex digits that tell contents apart (FNV-1a), which is all that is asked of them.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// `length` hex digits, at most 24, all of them random: a v4 UUID has its fixed digits at places 12 and 16.
fn hex(length: usize) -> String {
    let digits = jid();
    let random = format!("{}{}", &digits[..12], &digits[20..]);
    random[..length].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_shapes() {
        assert_eq!(jid().len(), 32);
        assert_eq!(caller().len(), 16);
        assert_ne!(caller(), caller());
        let many: std::collections::BTreeSet<String> = jids(150).collect();
        assert_eq!(many.len(), 150);
        assert!(many.iter().all(|jid| Uuid::try_parse(jid).unwrap().get_version_num() == 4 && jid.len() == 32));
        let name = worker();
        let parts: Vec<&str> = name.rsplitn(3, ':').collect();
        assert_eq!(parts[0].len(), 8);
        assert_eq!(parts[1], std::process::id().to_string());
        assert_eq!(parts[2], host());
    }
}
