//! What is computed in each thread by itself: the instructions by their names.

use super::{LANES, Lanes};
use std::array::from_fn;
use std::fmt;

/// What is computed of so many registers, for all lanes.
type Of<const N: usize, Y = Lanes> = Box<dyn Fn([&Lanes; N]) -> Y + Send + Sync>;

/// A function of so many registers.
pub enum Function {
    One(Of<1>),
    Two(Of<2>),
    Three(Of<3>),
    Four(Of<4>),
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a function of {} registers", self.operands())
    }
}

impl Function {
    pub fn operands(&self) -> usize {
        match self {
            Function::One(_) => 1,
            Function::Two(_) => 2,
            Function::Three(_) => 3,
            Function::Four(_) => 4,
        }
    }

    /// The function of an instruction, if it is one.
    pub fn named(name: &str) -> Option<Self> {
        of_floats(name).or_else(|| of_integers(name)).or_else(|| of_both(name))
    }
}

/// What a register's bits are.
trait Bits {
    fn of(bits: u64) -> Self;
    fn bits(self) -> u64;
}

impl Bits for f32 {
    fn of(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

macro_rules! integers {
    ($($signed:ty as $unsigned:ty),*) => {
        $(impl Bits for $unsigned {
            fn of(bits: u64) -> Self {
                bits as $unsigned
            }
            fn bits(self) -> u64 {
                self as u64
            }
        }
        impl Bits for $signed {
            fn of(bits: u64) -> Self {
                bits as $signed
            }
            fn bits(self) -> u64 {
                (self as $unsigned) as u64
            }
        })*
    };
}
integers!(i16 as u16, i32 as u32, i64 as u64);

fn one<A: Bits, Y: Bits>(f: impl Fn(A) -> Y + Send + Sync + 'static) -> Option<Function> {
    Some(Function::One(Box::new(move |[a]| from_fn(|i| f(A::of(a[i])).bits()))))
}

fn two<A: Bits, B: Bits, Y: Bits>(f: impl Fn(A, B) -> Y + Send + Sync + 'static) -> Option<Function> {
    Some(Function::Two(Box::new(move |[a, b]| from_fn(|i| f(A::of(a[i]), B::of(b[i])).bits()))))
}

fn three<A: Bits, B: Bits, C: Bits, Y: Bits>(f: impl Fn(A, B, C) -> Y + Send + Sync + 'static) -> Option<Function> {
    Some(Function::Three(Box::new(move |[a, b, c]| from_fn(|i| f(A::of(a[i]), B::of(b[i]), C::of(c[i])).bits()))))
}

/// The product and the sum are exact, or nearly so, before the one rounding at the end.
fn multiply_add(a: f32, b: f32, c: f32) -> f64 {
    f64::from(a) * f64::from(b) + f64::from(c)
}

/// The greatest number of 32 bits that is not above.
fn down(x: f64) -> f32 {
    let near = x as f32;
    if f64::from(near) > x { near.next_down() } else { near }
}

/// The number of 32 bits next to 0 that is not further from it.
fn towards_zero(x: f64) -> f32 {
    if x < 0.0 { -down(-x) } else { down(x) }
}

/// Numbers too small for an exponent are 0.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

fn of_floats(name: &str) -> Option<Function> {
    match name {
        "add.f32" | "add.rn.f32" => two(|a: f32, b: f32| a + b),
        "add.rz.f32" => two(|a: f32, b: f32| towards_zero(f64::from(a) + f64::from(b))),
        "sub.f32" | "sub.rn.f32" => two(|a: f32, b: f32| a - b),
        "mul.f32" | "mul.rn.f32" => two(|a: f32, b: f32| a * b),
        "div.rn.f32" => two(|a: f32, b: f32| a / b),
        "fma.rn.f32" => three(|a, b, c| multiply_add(a, b, c) as f32),
        "fma.rm.f32" => three(|a, b, c| down(multiply_add(a, b, c))),
        "neg.f32" => one(|a: f32| -a),
        "abs.f32" => one(f32::abs),
        "sqrt.rn.f32" => one(f32::sqrt),
        "rcp.rn.f32" => one(|a: f32| 1.0 / a),
        "rcp.approx.ftz.f32" => one(|a: f32| flushed(1.0 / flushed(a))),
        "ex2.approx.f32" => one(|a: f32| f64::from(a).exp2() as f32),
        "ex2.approx.ftz.f32" => one(|a: f32| flushed(f64::from(flushed(a)).exp2() as f32)),
        // The sign of the first with the value of the second.
        "copysign.f32" => two(|sign: f32, value: f32| value.copysign(sign)),
        "min.f32" => two(f32::min),
        "max.f32" => two(f32::max),
        "cvt.sat.f32.f32" => one(|a: f32| if a > 0.0 { a.min(1.0) } else { 0.0 }),
        "cvt.rmi.f32.f32" => one(f32::floor),
        "cvt.rni.f32.f32" => one(f32::round_ties_even),
        "cvt.rzi.f32.f32" => one(f32::trunc),
        "cvt.rzi.s32.f32" => one(|a: f32| a as i32),
        "cvt.rzi.u32.f32" => one(|a: f32| a as u32),
        "cvt.rn.f32.s32" => one(|a: i32| a as f32),
        "cvt.rn.f32.u32" => one(|a: u32| a as f32),
        "cvt.rna.tf32.f32" => one(tf32),
        _ => None,
    }
}

/// Rounded to 11 bits, halves away from 0.
pub fn tf32(a: f32) -> f32 {
    if a.is_finite() { f32::from_bits(a.to_bits().wrapping_add(1 << 12) & !0x1fff) } else { a }
}

fn of_integers(name: &str) -> Option<Function> {
    match name {
        "add.s32" | "add.u32" => two(u32::wrapping_add),
        "sub.s32" | "sub.u32" => two(u32::wrapping_sub),
        "mul.lo.s32" | "mul.lo.u32" => two(u32::wrapping_mul),
        "mad.lo.s32" | "mad.lo.u32" => three(|a: u32, b: u32, c: u32| a.wrapping_mul(b).wrapping_add(c)),
        "mul.hi.u32" => two(|a: u32, b: u32| ((u64::from(a) * u64::from(b)) >> 32) as u32),
        // A division by 0 gives all bits.
        "div.u32" => two(|a: u32, b: u32| a.checked_div(b).unwrap_or(u32::MAX)),
        "rem.u32" => two(|a: u32, b: u32| a.checked_rem(b).unwrap_or(a)),
        "div.s32" => two(|a: i32, b: i32| a.checked_div(b).unwrap_or(-1)),
        "rem.s32" => two(|a: i32, b: i32| a.checked_rem(b).unwrap_or(a)),
        "min.u32" => two(u32::min),
        "max.u32" => two(u32::max),
        "min.s32" => two(i32::min),
        "max.s32" => two(i32::max),
        "neg.s32" => one(i32::wrapping_neg),
        "abs.s32" => one(i32::wrapping_abs),
        "shl.b32" => two(|a: u32, by: u32| a.checked_shl(by).unwrap_or(0)),
        "shr.u32" | "shr.b32" => two(|a: u32, by: u32| a.checked_shr(by).unwrap_or(0)),
        "shr.s32" => two(|a: i32, by: u32| a >> by.min(31)),
        "bfi.b32" => Some(Function::Four(Box::new(|[a, b, place, length]: [&Lanes; 4]| {
            from_fn(|i| insert(a[i] as u32, b[i] as u32, place[i] as u32, length[i] as u32).into())
        }))),
        "mul.wide.s32" => two(|a: i32, b: i32| i64::from(a) * i64::from(b)),
        "mul.wide.u16" => two(|a: u16, b: u16| u32::from(a) * u32::from(b)),
        "mul.wide.u32" => two(|a: u32, b: u32| u64::from(a) * u64::from(b)),
        "mad.wide.u32" => three(|a: u32, b: u32, c: u64| (u64::from(a) * u64::from(b)).wrapping_add(c)),
        "mad.wide.s32" => three(|a: i32, b: i32, c: i64| (i64::from(a) * i64::from(b)).wrapping_add(c)),
        "add.s64" | "add.u64" => two(u64::wrapping_add),
        "sub.s64" | "sub.u64" => two(u64::wrapping_sub),
        "mul.lo.s64" | "mul.lo.u64" => two(u64::wrapping_mul),
        "mad.lo.s64" | "mad.lo.u64" => three(|a: u64, b: u64, c: u64| a.wrapping_mul(b).wrapping_add(c)),
        "div.u64" => two(|a: u64, b: u64| a.checked_div(b).unwrap_or(u64::MAX)),
        "rem.u64" => two(|a: u64, b: u64| a.checked_rem(b).unwrap_or(a)),
        "min.u64" => two(u64::min),
        "max.u64" => two(u64::max),
        "shl.b64" => two(|a: u64, by: u32| a.checked_shl(by).unwrap_or(0)),
        "shr.u64" | "shr.b64" => two(|a: u64, by: u32| a.checked_shr(by).unwrap_or(0)),
        "shr.s64" => two(|a: i64, by: u32| a >> by.min(63)),
        "cvt.s64.s32" => one(|a: i32| i64::from(a)),
        _ => None,
    }
}

/// `length` bits of `a` in `b` from `place` on.
fn insert(a: u32, b: u32, place: u32, length: u32) -> u32 {
    let (place, length) = (place & 0xff, length & 0xff);
    let ones = if length >= 32 { u32::MAX } else { (1 << length) - 1 };
    let mask = ones.checked_shl(place).unwrap_or(0);
    (a.checked_shl(place).unwrap_or(0) & mask) | (b & !mask)
}

fn of_both(name: &str) -> Option<Function> {
    match name {
        "mov.b32" | "mov.u32" | "mov.s32" | "mov.f32" | "mov.b16" | "mov.u16" | "mov.b64" | "mov.u64"
        | "cvta.to.global.u64" | "cvta.to.shared.u64" | "cvt.u64.u32" => one(|a: u64| a),
        "cvt.u32.u64" | "cvt.s32.s64" => one(|a: u64| a as u32),
        "cvt.u16.u32" | "cvt.u16.u64" => one(|a: u64| a as u16),
        "cvt.u32.u16" | "cvt.u64.u16" => one(|a: u16| a),
        "and.b32" | "and.b64" | "and.b16" => two(|a: u64, b: u64| a & b),
        "or.b32" | "or.b64" | "or.b16" => two(|a: u64, b: u64| a | b),
        "xor.b32" | "xor.b64" | "xor.b16" => two(|a: u64, b: u64| a ^ b),
        "not.b32" => one(|a: u32| !a),
        "not.b64" => one(|a: u64| !a),
        _ => None,
    }
}

/// A comparison: a bit for each lane.
pub struct Compare(pub Of<2, u32>);

impl fmt::Debug for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a comparison")
    }
}

impl Compare {
    /// The comparison of an instruction, if it is one.
    pub fn named(name: &str) -> Option<Self> {
        let (how, what) = name.strip_prefix("setp.")?.split_once('.')?;
        match what {
            "f32" => of_f32(how),
            "s16" => ordered::<i16>(how),
            "u16" | "b16" => ordered::<u16>(how),
            "s32" => ordered::<i32>(how),
            "u32" | "b32" => ordered::<u32>(how),
            "s64" => ordered::<i64>(how),
            "u64" | "b64" => ordered::<u64>(how),
            _ => None,
        }
    }
}

fn compare<A: Bits>(f: impl Fn(A, A) -> bool + Send + Sync + 'static) -> Option<Compare> {
    let all =
        move |[a, b]: [&Lanes; 2]| (0..LANES).fold(0, |bits, i| bits | u32::from(f(A::of(a[i]), A::of(b[i]))) << i);
    Some(Compare(Box::new(all)))
}

fn ordered<A: Bits + Ord + 'static>(how: &str) -> Option<Compare> {
    match how {
        "eq" => compare(|a: A, b: A| a == b),
        "ne" => compare(|a: A, b: A| a != b),
        "lt" | "lo" => compare(|a: A, b: A| a < b),
        "le" | "ls" => compare(|a: A, b: A| a <= b),
        "gt" | "hi" => compare(|a: A, b: A| a > b),
        "ge" | "hs" => compare(|a: A, b: A| a >= b),
        _ => None,
    }
}

/// Those with a `u` hold also where one of the two is not a number.
fn of_f32(how: &str) -> Option<Compare> {
    use std::cmp::Ordering::{self, Equal, Greater, Less};
    let of = |holds: &'static [Ordering], apart: bool| {
        compare(move |a: f32, b: f32| a.partial_cmp(&b).map_or(apart, |order| holds.contains(&order)))
    };
    let apart = how.ends_with('u');
    match how {
        "eq" | "equ" => of(&[Equal], apart),
        "ne" | "neu" => of(&[Less, Greater], apart),
        "lt" | "ltu" => of(&[Less], apart),
        "le" | "leu" => of(&[Less, Equal], apart),
        "gt" | "gtu" => of(&[Greater], apart),
        "ge" | "geu" => of(&[Greater, Equal], apart),
        "num" => of(&[Less, Equal, Greater], false),
        "nan" => of(&[], true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, operands: &[u64]) -> u64 {
        let all: Vec<Lanes> = operands.iter().map(|&x| [x; LANES]).collect();
        let y = match (Function::named(name).unwrap(), &all[..]) {
            (Function::One(f), [a]) => f([a]),
            (Function::Two(f), [a, b]) => f([a, b]),
            (Function::Three(f), [a, b, c]) => f([a, b, c]),
            (Function::Four(f), [a, b, c, d]) => f([a, b, c, d]),
            (f, _) => panic!("{name} is {f:?}"),
        };
        assert!(y.iter().all(|&each| each == y[0]));
        y[0]
    }

    fn floats(name: &str, operands: &[f32]) -> f32 {
        f32::of(call(name, &operands.iter().map(|x| x.bits()).collect::<Vec<_>>()))
    }

    /// By hand, at the edges of what the instruction set's manual says.
    #[test]
    fn instructions_follow_the_manual() {
        assert_eq!(call("add.s32", &[0xffff_ffff, 2]), 1);
        assert_eq!(call("add.s64", &[0xffff_ffff, 2]), 0x1_0000_0001);
        assert_eq!(call("mul.wide.s32", &[0xffff_ffff, 2]), -2i64 as u64);
        assert_eq!(call("mul.wide.u32", &[0xffff_ffff, 2]), 0x1_ffff_fffe);
        assert_eq!(call("cvt.s64.s32", &[0x8000_0000]), 0xffff_ffff_8000_0000);
        assert_eq!(call("mul.hi.u32", &[0x8000_0000, 6]), 3);
        assert_eq!(call("shl.b32", &[1, 32]), 0);
        assert_eq!(call("shr.s32", &[0x8000_0000, 40]), 0xffff_ffff);
        assert_eq!(call("div.u32", &[7, 0]), 0xffff_ffff);
        assert_eq!(call("bfi.b32", &[0xff, 0, 8, 4]), 0xf00);
        assert_eq!(call("bfi.b32", &[0, 0xffff_ffff, 4, 8]), 0xffff_f00f);
        assert_eq!(call("not.b32", &[0]), 0xffff_ffff);
        assert_eq!(call("cvt.rzi.s32.f32", &[f32::NAN.bits()]), 0);
    }

    #[test]
    fn roundings_follow_their_names() {
        let (third, least) = (1.0f32 / 3.0, f32::from_bits(1));
        assert_eq!(floats("fma.rn.f32", &[third, 3.0, -1.0]), (f64::from(third) * 3.0 - 1.0) as f32);
        // 1 + 2^-30 lies between 1 and its neighbour above.
        assert_eq!(floats("fma.rm.f32", &[2f32.powi(-15), 2f32.powi(-15), 1.0]), 1.0);
        assert_eq!(floats("fma.rm.f32", &[2f32.powi(-15), -(2f32.powi(-15)), 1.0]), 1f32.next_down());
        assert_eq!(floats("add.rz.f32", &[-1.0, 2f32.powi(-30)]), (-1f32).next_up());
        assert_eq!(floats("cvt.rni.f32.f32", &[2.5]), 2.0);
        assert_eq!(floats("cvt.rmi.f32.f32", &[-0.5]), -1.0);
        assert_eq!(floats("cvt.sat.f32.f32", &[f32::NAN]), 0.0);
        assert_eq!(floats("ex2.approx.ftz.f32", &[-140.0]), 0.0);
        assert_eq!(floats("ex2.approx.f32", &[-149.0]), least);
        assert_eq!(floats("copysign.f32", &[-0.0, 2.0]), -2.0);
        assert_eq!(floats("cvt.rna.tf32.f32", &[1.0 + 2f32.powi(-11)]), 1.0 + 2f32.powi(-10));
    }

    #[test]
    fn comparisons_know_what_is_not_a_number() {
        let holds = |how: &str, a: f32, b: f32| {
            let bits = Compare::named(&format!("setp.{how}.f32")).unwrap().0([&[a.bits(); LANES], &[b.bits(); LANES]]);
            assert!(bits == 0 || bits == u32::MAX);
            bits != 0
        };
        for how in ["eq", "ne", "lt", "le", "gt", "ge", "num"] {
            assert!(!holds(how, f32::NAN, 1.0), "{how}");
        }
        for how in ["equ", "neu", "ltu", "leu", "gtu", "geu", "nan"] {
            assert!(holds(how, 1.0, f32::NAN), "{how}");
        }
        assert!(holds("lt", 1.0, 2.0) && !holds("ltu", 2.0, 1.0) && holds("geu", 2.0, 2.0) && holds("ne", 1.0, 2.0));
    }
}
