//! A block's shared memory, which knows who has read and written what since the block's last barrier.

use super::Fault;

const WORD: usize = 4;

/// A word's last write and last read: how many barriers were before, and the thread.
#[derive(Clone, Copy, Default)]
struct Seen {
    writer: (u32, u32),
    reader: (u32, u32),
}

/// Stands for several threads.
const MANY: u32 = u32::MAX;

pub(super) struct Shared {
    bytes: Vec<u8>,
    seen: Vec<Seen>,
    barriers: u32,
}

impl Shared {
    /// Fresh, with numbers that are none.
    pub(super) fn new(size: usize) -> Self {
        let words = size.div_ceil(WORD);
        // Barriers are counted from 1, so that what nobody has touched is long past.
        Shared { bytes: vec![0xff; words * WORD], seen: vec![Seen::default(); words], barriers: 1 }
    }

    pub(super) fn barrier(&mut self) {
        self.barriers += 1;
    }

    fn words(&self, place: u64, bytes: usize) -> Result<std::ops::Range<usize>, Fault> {
        let end = place.checked_add(bytes as u64).filter(|&end| end <= self.bytes.len() as u64);
        let end = end
            .ok_or_else(|| Fault(format!("{bytes} bytes at {place} of {} in shared memory", self.bytes.len())))?
            as usize;
        Ok(place as usize / WORD..end.div_ceil(WORD))
    }

    pub(super) fn read(&mut self, place: u64, bytes: usize, thread: u32) -> Result<&[u8], Fault> {
        let now = self.barriers;
        for word in self.words(place, bytes)? {
            let seen = &mut self.seen[word];
            if seen.writer.0 == now && seen.writer.1 != thread {
                return Err(race(word, "reads", thread, "written", seen.writer.1));
            }
            let same = seen.reader.0 != now || seen.reader.1 == thread;
            seen.reader = (now, if same { thread } else { MANY });
        }
        Ok(&self.bytes[place as usize..place as usize + bytes])
    }

    pub(super) fn write(&mut self, place: u64, bytes: usize, thread: u32) -> Result<&mut [u8], Fault> {
        let now = self.barriers;
        for word in self.words(place, bytes)? {
            let seen = &mut self.seen[word];
            if seen.writer.0 == now && seen.writer.1 != thread {
                return Err(race(word, "writes", thread, "written", seen.writer.1));
            }
            if seen.reader.0 == now && seen.reader.1 != thread {
                return Err(race(word, "writes", thread, "read", seen.reader.1));
            }
            seen.writer = (now, thread);
        }
        Ok(&mut self.bytes[place as usize..place as usize + bytes])
    }
}

fn race(word: usize, does: &str, thread: u32, done: &str, by: u32) -> Fault {
    let by = if by == MANY { "several".to_string() } else { format!("thread {by}") };
    let place = word * WORD;
    Fault(format!("thread {thread} {does} shared memory at {place}, {done} by {by} since the last barrier"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_do_not_wait_for_each_other_are_found() {
        let mut shared = Shared::new(16);
        shared.write(0, 4, 1).unwrap();
        shared.read(0, 4, 1).unwrap();
        assert!(shared.read(0, 4, 2).unwrap_err().0.contains("written by thread 1"));
        assert!(shared.write(0, 4, 2).unwrap_err().0.contains("written by thread 1"));
        shared.barrier();
        shared.read(0, 8, 2).unwrap();
        shared.read(0, 8, 3).unwrap();
        assert!(shared.write(4, 4, 2).unwrap_err().0.contains("read by several"));
        shared.barrier();
        shared.write(4, 4, 2).unwrap();
        assert!(shared.read(12, 8, 0).unwrap_err().0.contains("8 bytes at 12 of 16"));
    }
}
