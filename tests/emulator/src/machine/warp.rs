//! Threads of a warp, which execute one instruction after another together as long as they are at the same one.

use super::Fault;
use super::access::{Around, ones};
use super::matrix::multiply;
use super::shared::Shared;
use crate::ptx::{Action, Function, Initial, Instruction, Kernel, LANES, Lanes, Logic, Truth};
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
    pub(super) first: u32,
    groups: Vec<Group>,
    pub(super) registers: Vec<Lanes>,
    predicates: Vec<u32>,
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
}
