//! What a warp reads and writes: global memory, the block's shared memory, parameters.

use super::shared::Shared;
use super::warp::Warp;
use super::{AtWork, Fault};
use crate::ptx::{Address, Kernel, LANES, Lanes, Space};
use std::array::from_fn;

/// What the threads of a block find around them.
pub(super) struct Around<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) parameters: &'a [u8],
    pub(super) memory: &'a AtWork<'a>,
    /// Where the array begins and ends that each instruction has used last.
    pub(super) known: Vec<(u64, u64)>,
}

impl Warp {
    pub(super) fn places(&self, at: Address) -> Lanes {
        let base = &self.registers[at.base];
        from_fn(|lane| base[lane].wrapping_add_signed(at.offset))
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn load(
        &mut self,
        which: usize,
        lanes: u32,
        space: Space,
        (bytes, signed): (usize, bool),
        to: &[usize],
        at: Address,
        around: &mut Around<'_>,
        shared: &mut Shared,
    ) -> Result<(), Fault> {
        let places = self.places(at);
        let all = bytes * to.len();
        if space == Space::Global {
            around.check(which, &places, lanes, bytes, to.len())?;
        }
        for lane in ones(lanes) {
            let place = places[lane];
            let read: &[u8] = match space {
                // SAFETY: the bytes belong to an array, by the check above, which is there until the launch is over.
                Space::Global => unsafe { std::slice::from_raw_parts(place as *const u8, all) },
                Space::Shared => {
                    aligned(place, all)?;
                    shared.read(place, all, self.first + lane as u32)?
                }
                Space::Parameter => around.parameter(place, all)?,
            };
            for (i, &to) in to.iter().enumerate() {
                self.registers[to][lane] = number(&read[i * bytes..][..bytes], signed);
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn store(
        &mut self,
        which: usize,
        lanes: u32,
        space: Space,
        bytes: usize,
        from: &[usize],
        at: Address,
        around: &mut Around<'_>,
        shared: &mut Shared,
    ) -> Result<(), Fault> {
        let places = self.places(at);
        let all = bytes * from.len();
        if space == Space::Global {
            around.check(which, &places, lanes, bytes, from.len())?;
        }
        for lane in ones(lanes) {
            let place = places[lane];
            let to: &mut [u8] = match space {
                // SAFETY: as for loads; one launch at a time writes to an array.
                Space::Global => unsafe { std::slice::from_raw_parts_mut(place as *mut u8, all) },
                Space::Shared => {
                    aligned(place, all)?;
                    shared.write(place, all, self.first + lane as u32)?
                }
                Space::Parameter => return Err(Fault("a parameter is written".into())),
            };
            for (i, &from) in from.iter().enumerate() {
                let number = self.registers[from][lane];
                match bytes {
                    4 => to[4 * i..][..4].copy_from_slice(&(number as u32).to_le_bytes()),
                    _ => to[i * bytes..][..bytes].copy_from_slice(&number.to_le_bytes()[..bytes]),
                }
            }
        }
        Ok(())
    }
}

impl Around<'_> {
    /// An error unless these lanes' places are aligned and belong to arrays.
    /// `which` is the instruction.
    pub(super) fn check(
        &mut self,
        which: usize,
        places: &Lanes,
        lanes: u32,
        bytes: usize,
        count: usize,
    ) -> Result<(), Fault> {
        let all = (bytes * count) as u64;
        let (mut begin, mut end) = self.known[which];
        for lane in ones(lanes) {
            let place = places[lane];
            aligned(place, all as usize)?;
            if place < begin || place.saturating_add(all) > end {
                let array = self.memory.array(place, all as usize);
                (begin, end) = array.ok_or_else(|| {
                    Fault(format!("lane {lane}: {all} bytes at {place:#x}, which belong to no array"))
                })?;
                self.known[which] = (begin, end);
            }
        }
        Ok(())
    }

    fn parameter(&self, place: u64, bytes: usize) -> Result<&[u8], Fault> {
        let end = place.saturating_add(bytes as u64);
        let all = self.parameters.get(place as usize..end as usize);
        all.ok_or_else(|| Fault(format!("{bytes} bytes at {place} of {} of parameters", self.parameters.len())))
    }
}

/// What stands in memory, with its sign if it has one.
fn number(bytes: &[u8], signed: bool) -> u64 {
    if let &[a, b, c, d] = bytes {
        return u32::from_le_bytes([a, b, c, d]).into();
    }
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let (number, above) = (u64::from_le_bytes(wide), 64 - 8 * bytes.len() as u32);
    if signed { ((number << above) as i64 >> above) as u32 as u64 } else { number }
}

/// An error unless a place is a multiple of the bytes that are there.
fn aligned(place: u64, bytes: usize) -> Result<(), Fault> {
    // So many bytes are a power of two.
    match place & (bytes as u64 - 1) {
        0 => Ok(()),
        _ => Err(Fault(format!("{bytes} bytes at {place:#x}, which is no multiple of {bytes}"))),
    }
}

/// The numbers of the lanes that are there.
pub(super) fn ones(lanes: u32) -> impl Iterator<Item = usize> {
    (0..LANES).filter(move |lane| lanes >> lane & 1 == 1)
}
