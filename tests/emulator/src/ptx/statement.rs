//! A statement of a kernel as an instruction.

use super::instruction::{Action, Instruction, Logic, Space};
use super::operand::Names;
use super::{Compare, Function};
use std::collections::HashMap;

/// Reads `@%p1 add.s32 %r1, %r2, 4`; labels are where they point to.
pub(super) fn read(text: &str, names: &mut Names, labels: &HashMap<&str, usize>) -> Result<Instruction, String> {
    let (guard, rest) = match text.strip_prefix('@') {
        Some(rest) => {
            let (guard, rest) = rest.split_once(char::is_whitespace).ok_or("a guard alone")?;
            let (name, value) = guard.strip_prefix('!').map_or((guard, true), |name| (name, false));
            (Some((names.predicate(name)?, value)), rest.trim())
        }
        None => (None, text),
    };
    let (name, operands) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let action = action(name, &split(operands), names, labels)?;
    Ok(Instruction { guard, action, text: text.into() })
}

fn action(name: &str, operands: &[&str], names: &mut Names, labels: &HashMap<&str, usize>) -> Result<Action, String> {
    if let Some(f) = Function::named(name) {
        let (to, from) = operands.split_first().ok_or("no operands")?;
        if from.len() != f.operands() {
            return Err(format!("{} operands, not {}", from.len(), f.operands()));
        }
        let from = from.iter().map(|operand| names.read(operand)).collect::<Result<_, _>>()?;
        return Ok(Action::Compute { f, to: names.write(to)?, from });
    }
    if let (Some(f), [to, a, b]) = (Compare::named(name), operands) {
        return Ok(Action::Compare { f, to: names.predicate(to)?, from: [names.read(a)?, names.read(b)?] });
    }
    let parts: Vec<&str> = name.split('.').collect();
    match (&parts[..], operands) {
        (["mov", "pred"], [to, a]) => logic(Logic::Move, to, &[a], names),
        (["not", "pred"], [to, a]) => logic(Logic::Not, to, &[a], names),
        (["and", "pred"], [to, a, b]) => logic(Logic::And, to, &[a, b], names),
        (["or", "pred"], [to, a, b]) => logic(Logic::Or, to, &[a, b], names),
        (["xor", "pred"], [to, a, b]) => logic(Logic::Xor, to, &[a, b], names),
        (["selp", _], [to, a, b, by]) => {
            let from = [names.read(a)?, names.read(b)?];
            Ok(Action::Select { to: names.write(to)?, from, by: names.truth(by)? })
        }
        (["ld", how @ .., kind], [to, at]) => {
            let (space, count) = access(how)?;
            let (bytes, signed) = size(kind)?;
            let to = vector(to, count)?.into_iter().map(|to| names.write(to)).collect::<Result<_, _>>()?;
            Ok(Action::Load { space, bytes, signed, to, at: names.address(at)? })
        }
        (["st", how @ .., kind], [at, from]) => {
            let (space, count) = access(how)?;
            let from = vector(from, count)?.into_iter().map(|from| names.read(from)).collect::<Result<_, _>>()?;
            Ok(Action::Store { space, bytes: size(kind)?.0, from, at: names.address(at)? })
        }
        (["atom", "global", "add", "u32"], [to, at, from]) => {
            let to = Some(names.write(to)?);
            Ok(Action::AtomicAdd { to, at: names.address(at)?, from: names.read(from)? })
        }
        (["red", "global", "add", "u32"] | ["red", "release", "gpu", "global", "add", "u32"], [at, from]) => {
            Ok(Action::AtomicAdd { to: None, at: names.address(at)?, from: names.read(from)? })
        }
        (["bra"] | ["bra", "uni"], [label]) => {
            let to = *labels.get(label).ok_or_else(|| format!("{label} is no label"))?;
            Ok(Action::Branch { to })
        }
        (["bar", "sync"], ["0"]) => Ok(Action::Barrier),
        (["shfl", "sync", "bfly", "b32"], [to, from, bits, within, members]) => {
            // Besides the number there may be a predicate, which tells whether the other lane is within.
            let (to, found) = to.split_once('|').map_or((*to, None), |(to, found)| (to, Some(found)));
            Ok(Action::Shuffle {
                found: found.map(|found| names.predicate(found)).transpose()?,
                from: names.read(from)?,
                bits: names.read(bits)?,
                within: names.read(within)?,
                members: names.read(members)?,
                to: names.write(to)?,
            })
        }
        (["mma", "sync", "aligned", "m16n8k8", "row", "col", "f32", "tf32", "tf32", "f32"], [d, a, b, c]) => {
            let mut four = |operand: &str| fixed::<4>(operand, names);
            let (d, a, c) = (four(d)?, four(a)?, four(c)?);
            Ok(Action::Multiply { d, a, b: fixed(b, names)?, c })
        }
        (["membar", "gl" | "cta"] | ["fence", ..], _) => Ok(Action::Fence),
        (["ret"] | ["exit"], []) => Ok(Action::Return),
        _ => Err("an instruction that is not known here".to_string()),
    }
}

fn logic(op: Logic, to: &str, from: &[&str], names: &mut Names) -> Result<Action, String> {
    let from = from.iter().map(|operand| names.truth(operand)).collect::<Result<_, _>>()?;
    Ok(Action::Logic { op, to: names.predicate(to)?, from })
}

/// The space and the number of registers of `global.nc.v4`. How caches are used makes no difference here.
fn access(how: &[&str]) -> Result<(Space, usize), String> {
    let (mut space, mut count) = (None, 1);
    for &part in how {
        match part {
            "global" => space = Some(Space::Global),
            "shared" => space = Some(Space::Shared),
            "param" => space = Some(Space::Parameter),
            "v2" => count = 2,
            "v4" => count = 4,
            "nc" | "cg" | "ca" | "cs" | "acquire" | "release" | "relaxed" | "volatile" | "gpu" => {}
            _ => return Err(format!("an access that is not known here: {part}")),
        }
    }
    Ok((space.ok_or("an access to memory of any kind")?, count))
}

fn size(kind: &str) -> Result<(usize, bool), String> {
    match kind {
        "b8" | "u8" => Ok((1, false)),
        "s8" => Ok((1, true)),
        "b16" | "u16" => Ok((2, false)),
        "s16" => Ok((2, true)),
        // Nothing takes the upper half of a register of 32 bits.
        "b32" | "u32" | "s32" | "f32" => Ok((4, false)),
        "b64" | "u64" | "s64" | "f64" => Ok((8, false)),
        _ => Err(format!("a type that is not known here: {kind}")),
    }
}

/// `{%f1, %f2}`, or the operand itself where it is one.
fn vector(operand: &str, count: usize) -> Result<Vec<&str>, String> {
    let inner = operand.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let parts = inner.map_or_else(|| vec![operand], split);
    if parts.len() == count { Ok(parts) } else { Err(format!("{} registers, not {count}", parts.len())) }
}

fn fixed<const N: usize>(operand: &str, names: &mut Names) -> Result<[usize; N], String> {
    let registers = vector(operand, N)?.into_iter().map(|each| names.read(each)).collect::<Result<Vec<_>, _>>()?;
    registers.try_into().map_err(|_| "registers".to_string())
}

/// Parts between the commas that are in no braces.
fn split(operands: &str) -> Vec<&str> {
    let mut inside = false;
    let at_comma = |c: char| {
        inside = (inside || c == '{') && c != '}';
        c == ',' && !inside
    };
    let parts = operands.split(at_comma).map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}
