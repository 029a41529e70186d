//! The optimisers' rules in CUDA C, written from the operations of their formulas.

use elman::backend::update::{Formula, Operand, Operation, Program};
use std::fmt::{self, Display, Formatter};

/// A struct for each formula, numbered as [`number`] does it, and `with_rule`, which gives a function the one of a number.
pub(crate) fn text() -> String {
    let rules: String = Formula::ALL.iter().map(|&formula| rule(formula)).collect();
    let cases: String =
        (0..Formula::ALL.len()).map(|i| format!("    case {i}: return f.of(Rule{i}{{rule.p}});\n")).collect();
    format!(
        "{rules}template <class T> __device__ __forceinline__ void with_rule(const Rule &rule, const T &f) {{\n    \
         switch (rule.number) {{\n{cases}    }}\n}}\n"
    )
}

/// The number of a formula in CUDA C.
pub(crate) fn number(formula: Formula) -> u32 {
    Formula::ALL.iter().position(|&other| other == formula).unwrap_or_default() as u32
}

fn rule(formula: Formula) -> String {
    let Program { operations, w, state } = Program::of(formula);
    let results = operations.iter().enumerate();
    let results: String = results.map(|(i, &operation)| format!("        F x{i} = {};\n", C(operation))).collect();
    // All is computed before anything is changed.
    let state: String =
        state.iter().enumerate().map(|(slot, &new)| format!("        s[{slot}] = {};\n", C(new))).collect();
    format!(
        "// {formula:?}\nstruct Rule{} {{\n    static const int SLOTS = {};\n    const float (&p)[8];\n    \
         __device__ __forceinline__ void operator()(F &w, F g, F *s) const {{\n{results}{state}        w = {};\n    }}\n}};\n",
        number(formula),
        formula.slots(),
        C(w)
    )
}

/// As C has it.
struct C<T>(T);

impl Display for C<Operand> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Operand::Weight => write!(f, "w"),
            Operand::Gradient => write!(f, "g"),
            Operand::State(slot) => write!(f, "s[{slot}]"),
            Operand::Number(place) => write!(f, "F(p[{place}])"),
            Operand::Result(place) => write!(f, "x{place}"),
        }
    }
}

impl Display for C<Operation> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Operation::Add(x, y) => write!(f, "{} + {}", C(x), C(y)),
            Operation::Subtract(x, y) => write!(f, "{} - {}", C(x), C(y)),
            Operation::Multiply(x, y) => write!(f, "{} * {}", C(x), C(y)),
            Operation::Divide(x, y) => write!(f, "quotient({}, {})", C(x), C(y)),
            Operation::Root(x) => write!(f, "root({})", C(x)),
            Operation::Size(x) => write!(f, "size({})", C(x)),
            Operation::Greatest(x, y) => write!(f, "most({}, {})", C(x), C(y)),
            Operation::NotBelowZero(x) => write!(f, "most({}, F(0.0f))", C(x)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_its_formula() {
        let sgd = "// Sgd\nstruct Rule0 {\n    static const int SLOTS = 0;\n    const float (&p)[8];\n    \
                   __device__ __forceinline__ void operator()(F &w, F g, F *s) const {\n        \
                   F x0 = F(p[1]) * w;\n        F x1 = F(p[0]) * g;\n        F x2 = x0 - x1;\n        w = x2;\n    }\n};\n";
        assert_eq!(rule(Formula::Sgd), sgd);
        assert!(rule(Formula::AdaGrad).contains("        s[0] = x1;\n"));
    }
}
