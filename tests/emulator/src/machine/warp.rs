//! Threads of a warp, which execute one instruction after another together as long as they are at the same one.

use super::shared::Shared;
use super::{AtWork, Fault};
use crate::ptx::{Action, Address, Function, Initial, Instruction, Kernel, LANES, Lanes, Logic, Space, Truth};
use std::array::from_fn;

/// Threads that are at the same instruction.
#[derive(Clone, Copy, Debug)]
struct Group {
    at: usize,
    lanes: u32,
    /// For the block's barrier.
    waits: bool,
}

/// A warp.
pub(super) struct Warp {
    /// The number of its first thread in the block.
    first: u32,
    groups: Vec<Group>,
    registers: Vec<Lanes>,
    predicates: Vec<u32>,
}

/// What the threads of a block find around them.
pub(super) struct Around<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) parameters: &'a [u8],
    pub(super) memory: &'a AtWork<'a>,
    /// Where the array begins and ends that each instruction has used last.
    pub(super) known: Vec<(u64, u64)>,
}

/// Where a thread's block and the thread itself are among how many.
pub(super) struct Place {
    pub(super) block: [u32; 3],
    pub(super) blocks: [u32; 3],
    pub(super) threads: [u32; 3],
}

impl Place {
    pub(super) fn thread_count(&self) -> u32 {
        self.threads.iter().product()
    }
}

impl Warp {
    /// The warp of the threads from `first` on, with registers that another one has left.
    pub(super) fn new(kernel: &Kernel, place: &Place, first: u32, mut registers: Vec<Lanes>) -> Self {
        registers.resize(kernel.registers, [0; LANES]);
        let [x, y, _] = place.threads;
        let thread = |lane: usize| first + lane as u32;
        for &(register, initial) in &kernel.initial {
            registers[register] = match initial {
                Initial::Constant(number) => [number; LANES],
                Initial::Thread(0) => from_fn(|lane| (thread(lane) % x).into()),
                Initial::Thread(1) => from_fn(|lane| (thread(lane) / x % y).into()),
                Initial::Thread(_) => from_fn(|lane| (thread(lane) / (x * y)).into()),
                Initial::Threads(axis) => [place.threads[axis].into(); LANES],
                Initial::Block(axis) => [place.block[axis].into(); LANES],
                Initial::Blocks(axis) => [place.blocks[axis].into(); LANES],
                Initial::Lane => from_fn(|lane| lane as u64),
            };
        }
        let there = (place.thread_count() - first).min(LANES as u32);
        let lanes = u32::MAX >> (LANES as u32 - there);
        Warp {
            first,
            groups: vec![Group { at: 0, lanes, waits: false }],
            registers,
            predicates: vec![0; kernel.predicates],
        }
    }

    pub(super) fn into_registers(self) -> Vec<Lanes> {
        self.registers
    }

    pub(super) fn is_done(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether a thread can go on.
    pub(super) fn can_go_on(&self) -> bool {
        self.groups.iter().any(|group| !group.waits)
    }

    /// Lets the threads pass the barrier for which they wait.
    pub(super) fn pass_barrier(&mut self) {
        let mut groups: Vec<Group> = Vec::new();
        for group in self.groups.drain(..) {
            match groups.iter_mut().find(|other| other.at == group.at) {
                Some(other) => other.lanes |= group.lanes,
                None => groups.push(Group { waits: false, ..group }),
            }
        }
        self.groups = groups;
    }

    /// Executes up to so many instructions; gives how many it were.
    pub(super) fn run(&mut self, around: &mut Around<'_>, shared: &mut Shared, most: u64) -> Result<u64, Fault> {
        let mut left = most;
        while left > 0 && self.can_go_on() {
            // Those that are furthest behind, so that threads which parted meet again.
            let behind = (0..self.groups.len()).filter(|&i| !self.groups[i].waits).min_by_key(|&i| self.groups[i].at);
            let mut group = self.groups.swap_remove(behind.expect("one can go on"));
            let others = self.groups.iter().filter(|other| !other.waits);
            let limit = others.map(|other| other.at).min().unwrap_or(usize::MAX);
            let mut apart = false;
            while left > 0 && group.at < limit && group.lanes != 0 && !group.waits && !apart {
                left -= 1;
                let code = &around.kernel.code;
                let instruction = code.get(group.at).ok_or_else(|| Fault("the code ends without a return".into()))?;
                let before = self.groups.len();
                self.step(instruction, &mut group, around, shared)
                    .map_err(|Fault(what)| Fault(format!("{}: {what}", instruction.text)))?;
                apart = self.groups.len() > before;
            }
            if group.lanes != 0 {
                let same = self.groups.iter_mut().find(|other| other.at == group.at && other.waits == group.waits);
                match same {
                    Some(other) => other.lanes |= group.lanes,
                    None => self.groups.push(group),
                }
            }
        }
        Ok(most - left)
    }

    fn truth(&self, truth: Truth) -> u32 {
        match truth {
            Truth::Register(register) => self.predicates[register],
            Truth::Constant(holds) => {
                if holds {
                    u32::MAX
                } else {
                    0
                }
            }
        }
    }

    fn put(&mut self, register: usize, lanes: u32, value: Lanes) {
        let to = &mut self.registers[register];
        if lanes == u32::MAX {
            *to = value;
        } else {
            (0..LANES).filter(|lane| lanes >> lane & 1 == 1).for_each(|lane| to[lane] = value[lane]);
        }
    }

    fn put_truth(&mut self, register: usize, lanes: u32, value: u32) {
        let to = &mut self.predicates[register];
        *to = (*to & !lanes) | (value & lanes);
    }

    fn step(
        &mut self,
        instruction: &Instruction,
        group: &mut Group,
        around: &mut Around<'_>,
        shared: &mut Shared,
    ) -> Result<(), Fault> {
        let lanes = match instruction.guard {
            Some((predicate, true)) => group.lanes & self.predicates[predicate],
            Some((predicate, false)) => group.lanes & !self.predicates[predicate],
            None => group.lanes,
        };
        group.at += 1;
        if lanes == 0 {
            return Ok(());
        }
        let r = &self.registers;
        match &instruction.action {
            Action::Compute { f, to, from } => {
                let value = match (f, &from[..]) {
                    (Function::One(f), &[a]) => f([&r[a]]),
                    (Function::Two(f), &[a, b]) => f([&r[a], &r[b]]),
                    (Function::Three(f), &[a, b, c]) => f([&r[a], &r[b], &r[c]]),
                    (Function::Four(f), &[a, b, c, d]) => f([&r[a], &r[b], &r[c], &r[d]]),
                    _ => unreachable!("a function has as many operands as it was read with"),
                };
                self.put(*to, lanes, value);
            }
            &Action::Compare { ref f, to, from: [a, b] } => {
                let value = f.0([&r[a], &r[b]]);
                self.put_truth(to, lanes, value);
            }
            Action::Logic { op, to, from } => {
                let a = self.truth(from[0]);
                let b = from.get(1).map_or(0, |&b| self.truth(b));
                let value = match op {
                    Logic::And => a & b,
                    Logic::Or => a | b,
                    Logic::Xor => a ^ b,
                    Logic::Not => !a,
                    Logic::Move => a,
                };
                self.put_truth(*to, lanes, value);
            }
            &Action::Select { to, from: [a, b], by } => {
                let by = self.truth(by);
                let value = from_fn(|lane| if by >> lane & 1 == 1 { r[a][lane] } else { r[b][lane] });
                self.put(to, lanes, value);
            }
            Action::Load { space, bytes, signed, to, at } => {
                self.load(group.at - 1, lanes, *space, (*bytes, *signed), to, *at, around, shared)?;
            }
            Action::Store { space, bytes, from, at } => {
                self.store(group.at - 1, lanes, *space, *bytes, from, *at, around, shared)?;
            }
            &Action::AtomicAdd { to, at, from } => {
                let places = self.places(at);
                around.check(group.at - 1, &places, lanes, 4, 1)?;
                let mut before = [0; LANES];
                for lane in ones(lanes) {
                    let place = places[lane] as *mut u32;
                    // SAFETY: the bytes belong to an array, and begin at a multiple of 4.
                    unsafe {
                        before[lane] = (*place).into();
                        *place = (*place).wrapping_add(self.registers[from][lane] as u32);
                    }
                }
                if let Some(to) = to {
                    self.put(to, lanes, before);
                }
            }
            &Action::Branch { to } => {
                if lanes == group.lanes {
                    group.at = to;
                } else {
                    group.lanes &= !lanes;
                    self.groups.push(Group { at: to, lanes, waits: false });
                }
            }
            Action::Barrier if lanes == group.lanes => group.waits = true,
            Action::Barrier => return Err(Fault("a barrier for some of the threads that are here".into())),
            &Action::Shuffle { to, found, from, bits, within, members } => {
                let lane = lanes.trailing_zeros() as usize;
                let (expected, within) = (r[members][lane] as u32, r[within][lane]);
                if lanes != expected {
                    return Err(Fault(format!("the threads {lanes:08x} are here, not {expected:08x}")));
                }
                if within != 31 {
                    return Err(Fault(format!("an exchange within {within:#x}, not the whole warp")));
                }
                let value = from_fn(|lane| r[from][(lane ^ r[bits][lane] as usize) % LANES]);
                self.put(to, lanes, value);
                if let Some(found) = found {
                    self.put_truth(found, lanes, u32::MAX);
                }
            }
            Action::Multiply { d, a, b, c } => {
                if lanes != u32::MAX {
                    return Err(Fault(format!("the threads {lanes:08x} are here, not all")));
                }
                let values = multiply([a.map(|a| &r[a]), c.map(|c| &r[c])], b.map(|b| &r[b]));
                d.iter().zip(values).for_each(|(&d, value)| self.put(d, lanes, value));
            }
            Action::Fence => {}
            Action::Return => group.lanes &= !lanes,
        }
        Ok(())
    }

    fn places(&self, at: Address) -> Lanes {
        let base = &self.registers[at.base];
        from_fn(|lane| base[lane].wrapping_add_signed(at.offset))
    }

    #[allow(clippy::too_many_arguments)]
    fn load(
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
    fn store(
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
    fn check(&mut self, which: usize, places: &Lanes, lanes: u32, bytes: usize, count: usize) -> Result<(), Fault> {
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
fn ones(lanes: u32) -> impl Iterator<Item = usize> {
    (0..LANES).filter(move |lane| lanes >> lane & 1 == 1)
}

/// `a b + c`, spread over the lanes as `mma.m16n8k8` has it. What is multiplied loses the bits that TF32 has not.
fn multiply([a, c]: [[&Lanes; 4]; 2], b: [&Lanes; 2]) -> [Lanes; 4] {
    let number = |bits: u64| f32::from_bits(bits as u32 & !0x1fff);
    let mut d = [[0; LANES]; 4];
    for (i, d) in d.iter_mut().enumerate() {
        for (lane, d) in d.iter_mut().enumerate() {
            let (row, column) = (lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2);
            let terms = (0..8).map(|k| {
                let (in_a, in_b) = (row % 8 * 4 + k % 4, column * 4 + k % 4);
                number(a[row / 8 + k / 4 * 2][in_a]) * number(b[k / 4][in_b])
            });
            let sum = terms.fold(f32::from_bits(c[i][lane] as u32), |sum, term| sum + term);
            *d = sum.to_bits().into();
        }
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number of `a` and `b` in its place, by the manual's picture; TF32 holds these numbers.
    #[test]
    fn matrices_lie_in_the_lanes_as_the_manual_has_them() {
        let a = |row: usize, k: usize| (row * 8 + k) as f32;
        let b = |k: usize, column: usize| (3 * k + 5 * column) as f32;
        let c = |row: usize, column: usize| (row * column) as f32;
        let bits = |x: f32| u64::from(x.to_bits());
        let (group, own) = (|lane: usize| lane / 4, |lane: usize| lane % 4);
        let spread = |f: &dyn Fn(usize) -> f32| -> Lanes { from_fn(|lane| bits(f(lane))) };
        let in_a = [
            spread(&|lane| a(group(lane), own(lane))),
            spread(&|lane| a(group(lane) + 8, own(lane))),
            spread(&|lane| a(group(lane), own(lane) + 4)),
            spread(&|lane| a(group(lane) + 8, own(lane) + 4)),
        ];
        let in_b = [spread(&|lane| b(own(lane), group(lane))), spread(&|lane| b(own(lane) + 4, group(lane)))];
        let place = |i: usize, lane: usize| (group(lane) + i / 2 * 8, 2 * own(lane) + i % 2);
        let in_c: [Lanes; 4] = from_fn(|i| spread(&|lane| c(place(i, lane).0, place(i, lane).1)));
        let d = multiply([in_a.each_ref(), in_c.each_ref()], in_b.each_ref());
        for (i, lane) in (0..4).flat_map(|i| (0..LANES).map(move |lane| (i, lane))) {
            let (row, column) = place(i, lane);
            let expected = (0..8).map(|k| a(row, k) * b(k, column)).sum::<f32>() + c(row, column);
            assert_eq!(f32::from_bits(d[i][lane] as u32), expected, "{row} {column}");
        }
    }
}
