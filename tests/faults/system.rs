//! The C library's calls of files, as the standard library makes them, in their place: each goes to the kernel as it came,
//! unless this thread has asked for it to fail.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_long, c_void};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The call of this number (from 1), and no other.
    Once(u64),
    /// The call of this number and all after it, deletions too: a disk that has become read-only.
    From(u64),
    /// The call of this number is interrupted by a signal, which is to be no error.
    Interrupted(u64),
    /// The disk has room for so many bytes.
    Room(u64),
}

#[derive(Clone, Copy, PartialEq)]
enum Call {
    Open,
    Read,
    Write,
    Seek,
    Sync,
    Rename,
    Delete,
}

thread_local! {
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static FAILED: Cell<u64> = const { Cell::new(0) };
}

/// What `run` gives while files fail so, and how many calls have failed.
pub(crate) fn failing<T>(fault: Fault, run: impl FnOnce() -> T) -> (T, u64) {
    CALLS.set(0);
    FAILED.set(0);
    FAULT.set(Some(fault));
    let value = run();
    FAULT.set(None);
    (value, FAILED.get())
}

/// The error that a call has to end in, if it has to.
fn error(call: Call) -> Option<c_int> {
    let fault = FAULT.get()?;
    let usual = match call {
        Call::Open | Call::Write => libc::ENOSPC,
        _ => libc::EIO,
    };
    let number = CALLS.get() + u64::from(call != Call::Delete);
    CALLS.set(number);
    let error = match fault {
        Fault::Once(n) => (number == n && call != Call::Delete).then_some(usual),
        Fault::From(n) => (number >= n).then_some(usual),
        // The others are not interrupted on Linux.
        Fault::Interrupted(n) => {
            (number == n && matches!(call, Call::Open | Call::Read | Call::Write | Call::Sync)).then_some(libc::EINTR)
        }
        Fault::Room(_) => None,
    };
    FAILED.set(FAILED.get() + u64::from(error.is_some()));
    error
}

/// How much of a block there is room for; an error where there is for none.
fn room(bytes: usize) -> Result<usize, c_int> {
    let Some(Fault::Room(left)) = FAULT.get() else { return Ok(bytes) };
    let fits = bytes.min(left as usize);
    FAULT.set(Some(Fault::Room(left - fits as u64)));
    if fits == 0 && bytes > 0 {
        FAILED.set(FAILED.get() + 1);
        return Err(libc::ENOSPC);
    }
    Ok(fits)
}

fn fail(error: c_int) -> c_long {
    // SAFETY: the C library's place for this thread's errors.
    unsafe { *libc::__errno_location() = error };
    -1
}

/// A call that goes to the kernel unless it has to fail.
macro_rules! call {
    ($call:expr, $number:ident $(, $argument:expr)*) => {
        match error($call) {
            Some(error) => fail(error),
            // SAFETY: the caller's arguments, which the kernel checks.
            None => unsafe { libc::syscall(libc::$number $(, $argument)*) },
        }
    };
}

// SAFETY, of all names: the functions do what those of the C library do, whose place they take in this program.
#[unsafe(no_mangle)]
extern "C" fn open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    call!(Call::Open, SYS_openat, libc::AT_FDCWD, path, flags | libc::O_LARGEFILE, mode) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn read(file: c_int, into: *mut c_void, bytes: usize) -> isize {
    call!(Call::Read, SYS_read, file, into, bytes) as isize
}

#[unsafe(no_mangle)]
extern "C" fn write(file: c_int, from: *const c_void, bytes: usize) -> isize {
    match room(bytes) {
        Err(error) => fail(error) as isize,
        Ok(bytes) => call!(Call::Write, SYS_write, file, from, bytes) as isize,
    }
}

#[unsafe(no_mangle)]
extern "C" fn lseek64(file: c_int, offset: i64, whence: c_int) -> i64 {
    call!(Call::Seek, SYS_lseek, file, offset, whence)
}

#[unsafe(no_mangle)]
extern "C" fn fsync(file: c_int) -> c_int {
    call!(Call::Sync, SYS_fsync, file) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    call!(Call::Rename, SYS_renameat2, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn unlink(path: *const c_char) -> c_int {
    call!(Call::Delete, SYS_unlinkat, libc::AT_FDCWD, path, 0) as c_int
}

/// Were one of these not the one that the standard library calls, no test here could fail.
#[test]
fn the_standard_library_calls_these() {
    use std::fs::{self, File};
    use std::io::{Read, Seek, Write};
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
    let first = Fault::Once(1);
    assert!(failing(first, || File::create(&old)).0.is_err());
    let mut file = File::create_new(&old).unwrap();
    assert!(failing(first, || file.write(b"x")).0.is_err());
    assert_eq!(failing(Fault::Room(3), || file.write(b"12345")).0.unwrap(), 3);
    assert!(failing(first, || file.sync_all()).0.is_err());
    assert!(failing(first, || file.rewind()).0.is_err());
    assert!(failing(first, || fs::rename(&old, &new)).0.is_err());
    assert!(failing(Fault::From(0), || fs::remove_file(&old)).0.is_err());
    let mut file = File::open(&old).unwrap();
    assert!(failing(first, || file.read(&mut [0])).0.is_err());
    assert_eq!(fs::read(&old).unwrap(), b"123");
}
