//! Numbers nobody on the path can guess, from the kernel.

use std::fs::File;
use std::io::Read;

const SOURCE: &str = "/dev/urandom";
/// Read at once: the nonces of a usual run (three echoes, three to the control) and to spare.
const POOL_BYTES: usize = 128;

/// A supply of random numbers, refilled as it runs dry.
pub(super) struct Nonces {
    file: File,
    pool: [u8; POOL_BYTES],
    used: usize,
}

impl Nonces {
    /// # Errors
    /// `open /dev/urandom: …`, in a container without it.
    pub(super) fn open() -> Result<Self, String> {
        let file = File::open(SOURCE).map_err(|error| format!("open {SOURCE}: {error}"))?;
        Ok(Self {
            file,
            pool: [0; POOL_BYTES],
            used: POOL_BYTES,
        })
    }

    /// # Errors
    /// `read /dev/urandom: …`
    pub(super) fn next(&mut self) -> Result<u64, String> {
        if self.used == POOL_BYTES {
            let filled = self.file.read_exact(&mut self.pool);
            filled.map_err(|error| format!("read {SOURCE}: {error}"))?;
            self.used = 0;
        }
        let word = self.pool.as_chunks::<8>().0[self.used / 8];
        self.used += 8;
        Ok(u64::from_be_bytes(word))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nonces_do_not_repeat_across_refills() {
        let mut nonces = Nonces::open().unwrap();
        let seen: HashSet<u64> = (0..100).map(|_| nonces.next().unwrap()).collect();
        assert_eq!(seen.len(), 100);
    }
}
