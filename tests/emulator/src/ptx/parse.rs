//! A text of several kernels.

use super::operand::Names;
use super::{Kernel, statement};
use std::collections::HashMap;

pub(super) fn module(text: &str) -> Result<Vec<Kernel>, String> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or("").trim());
    let text: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let starts: Vec<usize> = (0..text.len()).filter(|&i| text[i].contains(".entry ")).collect();
    // What stands before the kernels and between them.
    let common: Vec<&str> = text.iter().copied().filter(|line| declares_shared(line)).collect();
    starts.into_iter().map(|start| kernel(&text[start..], &common)).collect()
}

/// `.shared .align 4 .b8 name[128];`, or `.extern` and without a length, which the launch tells then.
fn declares_shared(line: &str) -> bool {
    line.starts_with(".shared") || line.starts_with(".extern .shared")
}

/// A kernel that begins with the first line. `common` has the shared memory of all kernels, of which one has what it uses.
fn kernel(lines: &[&str], common: &[&str]) -> Result<Kernel, String> {
    let name = lines[0].split(".entry ").nth(1).unwrap_or("").trim_end_matches(['(', ')', ' ']);
    let wrong = |line: &str, what: String| format!("{name}: {line}: {what}");
    let begin = lines.iter().position(|&line| line == "{").ok_or_else(|| wrong(lines[0], "no body".to_string()))?;
    let end = lines.iter().position(|&line| line == "}").ok_or_else(|| wrong(lines[0], "no end".to_string()))?;

    let (mut names, mut parameters, mut most_threads) = (Names::default(), Vec::new(), None);
    for line in &lines[1..begin] {
        if line.starts_with(".param") {
            let (align, bytes, parameter) = declaration(line).map_err(|what| wrong(line, what))?;
            let after = parameters.last().map_or(0, |&(offset, bytes)| offset + bytes);
            let offset: usize = usize::next_multiple_of(after, align);
            parameters.push((offset, bytes));
            names.places.insert(parameter.to_string(), offset as u64);
        } else if let Some(threads) = line.strip_prefix(".maxntid") {
            let axes = threads.split(',').map(|axis| axis.trim().parse::<u32>());
            most_threads = axes.product::<Result<u32, _>>().ok();
        }
    }

    // Shared memory, and where labels point to.
    let body = lines[begin + 1..end].join(" ");
    let (mut statements, mut labels, mut shared, mut dynamic) = (Vec::new(), HashMap::new(), 0, None);
    let is_used = |name: &str| body.split(|c: char| c.is_whitespace() || ",[+];".contains(c)).any(|word| word == name);
    for line in common {
        let name = line.split_whitespace().last().and_then(|name| name.split('[').next()).unwrap_or("");
        if line.starts_with(".extern") && is_used(name) {
            dynamic = Some(name);
        } else if is_used(name) {
            let (align, bytes, array) = declaration(line).map_err(|what| wrong(line, what))?;
            let place = usize::next_multiple_of(shared, align);
            names.places.insert(array.to_string(), place as u64);
            shared = place + bytes;
        }
    }
    for mut line in body.split(';').map(str::trim).filter(|line| !line.is_empty()) {
        while let Some((label, rest)) = line.split_once(':').filter(|(label, _)| label.starts_with('$')) {
            labels.insert(label, statements.len());
            line = rest.trim();
        }
        if !line.starts_with('.') && !line.is_empty() {
            statements.push(line);
        }
    }
    // What the launch adds follows, where anything can be.
    if let Some(array) = dynamic {
        shared = usize::next_multiple_of(shared, 16);
        names.places.insert(array.to_string(), shared as u64);
    }

    let read = |line: &&str| statement::read(line, &mut names, &labels).map_err(|what| wrong(line, what));
    let code = statements.iter().map(read).collect::<Result<_, _>>()?;
    let mut kernel = Kernel {
        name: name.to_string(),
        parameters,
        shared,
        code,
        registers: 0,
        predicates: 0,
        initial: vec![],
        most_threads,
    };
    names.finish(&mut kernel);
    Ok(kernel)
}

/// The alignment, the bytes and the name of `.param .align 8 .b8 name[40]`, `.param .u32 name`.
fn declaration(line: &str) -> Result<(usize, usize, &str), String> {
    let words: Vec<&str> = line.trim_end_matches([',', ';']).split_whitespace().collect();
    let aligned = words.iter().position(|&word| word == ".align");
    let align = aligned.and_then(|i| words.get(i + 1)).map(|align| align.parse().map_err(|_| "an alignment"));
    let (kind, name) = match words[..] {
        [.., kind, name] => (kind, name),
        _ => return Err("no type and name".to_string()),
    };
    let size = kind.trim_start_matches(|c: char| !c.is_ascii_digit());
    let size = size.parse::<usize>().map_err(|_| format!("a type that is not known here: {kind}"))? / 8;
    let (name, count) = match name.split_once('[') {
        Some((name, count)) => (name, count.trim_end_matches(']').parse().map_err(|_| "a length")?),
        None => (name, 1),
    };
    Ok((align.unwrap_or(Ok(size))?, size * count, name))
}

#[cfg(test)]
mod tests {
    use super::super::{Action, read};

    const TEXT: &str = "
.version 9.0
.target sm_90
.address_size 64
.extern .shared .align 16 .b8 all[];
.visible .entry copy(
	.param .u32 copy_param_0,
	.param .align 8 .b8 copy_param_1[24]
)
.maxntid 256, 1, 1
{
	.reg .pred 	%p<2>;
	.shared .align 4 .b8 some[20];
	ld.param.u32 	%r1, [copy_param_0];
	ld.param.v2.u32 {%r2, %r3}, [copy_param_1+8]; // a comment
	mov.u64 	%rd1, all;
	mov.u64 	%rd2, some;
$L__BB0_1:
	setp.lt.s32 %p1, %r1, -1;
	@!%p1 bra 	$L__BB0_1;
	ret;
}
";

    #[test]
    fn a_kernel_is_read() {
        let kernels = read(TEXT).unwrap();
        let [copy] = &kernels[..] else { panic!("{kernels:?}") };
        assert_eq!((copy.name.as_str(), &copy.parameters[..], copy.shared), ("copy", &[(0, 4), (8, 24)][..], 32));
        assert_eq!((copy.code.len(), copy.most_threads, copy.predicates), (7, Some(256), 1));
        assert!(matches!(copy.code[5].action, Action::Branch { to: 4 }) && copy.code[5].guard == Some((0, false)));
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (known, unknown) in [("setp.lt.s32", "setp.lt.f64"), ("ret;", "nanosleep.u32 20;"), ("1, -1", "1, %x")] {
            let message = read(&TEXT.replace(known, unknown)).err().unwrap_or_default();
            assert!(unknown == "1, %x" || message.starts_with("copy: "), "{message}");
        }
        assert!(read(&TEXT.replace("$L__BB0_1;", "$other;")).unwrap_err().contains("$other"));
    }
}
