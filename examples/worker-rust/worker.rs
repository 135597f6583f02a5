//! A worker in Rust, by plain rustc and without crates: the same file is a program (--crate-type bin) and a module (cdylib).
//! The declarations below are those of <reeve/worker.h> that this worker uses. A panic must not leave a callback.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_void, CString};
use std::panic::catch_unwind;

#[repr(C)]
pub struct reeve_job([u8; 0]);
#[repr(C)]
pub struct reeve_instance([u8; 0]);

#[repr(C)]
pub struct reeve_bytes {
    data: *const c_char,
    size: usize,
}

type Handler = extern "C" fn(*mut c_void, *mut reeve_job) -> c_int;

#[repr(C)]
pub struct reeve_capability {
    size: u32,
    flags: u32,
    name: *const c_char,
    version: *const c_char,
    summary: *const c_char,
    mode: *const c_char,
    tags: *const *const c_char,
    input_schema: *const c_char,
    output_schema: *const c_char,
    item_schema: *const c_char,
    errors: *const c_char,
    handle: Handler,
    cancel: Option<extern "C" fn(*mut c_void, *mut reeve_job)>,
}

#[repr(C)]
pub struct reeve_worker {
    size: u32,
    abi: u32,
    name: *const c_char,
    version: *const c_char,
    platform: *const c_char,
    config_schema: *const c_char,
    capabilities: *const *const reeve_capability,
    start: Option<extern "C" fn(*mut reeve_instance, *mut *mut c_void) -> c_int>,
    drain: Option<extern "C" fn(*mut c_void)>,
    stop: Option<extern "C" fn(*mut c_void)>,
    healthy: Option<extern "C" fn(*mut c_void, *mut c_char, usize) -> c_int>,
}

unsafe impl Sync for reeve_capability {}
unsafe impl Sync for reeve_worker {}
pub struct List([*const reeve_capability; 2]);
unsafe impl Sync for List {}

extern "C" {
    fn reeve_input(job: *const reeve_job) -> reeve_bytes;
    fn reeve_reply(job: *mut reeve_job, data: *const c_void, size: usize) -> c_int;
    fn reeve_fail(job: *mut reeve_job, code: *const c_char, retryable: c_int, message: *const c_char) -> c_int;
    #[cfg(not(module))]
    fn reeve_main(argc: c_int, argv: *mut *mut c_char, worker: *const reeve_worker) -> c_int;
}

const REEVE_E_INTERNAL: c_int = -1;
const REEVE_E_INVALID: c_int = -2;

fn input<'a>(job: *mut reeve_job) -> &'a [u8] {
    let bytes = unsafe { reeve_input(job) };
    if bytes.data.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(bytes.data as *const u8, bytes.size) } }
}

fn fail(job: *mut reeve_job, code: &str, message: &str) {
    let (code, message) = (CString::new(code).unwrap_or_default(), CString::new(message).unwrap_or_default());
    unsafe { reeve_fail(job, code.as_ptr(), 0, message.as_ptr()) };
}

extern "C" fn sum(_state: *mut c_void, job: *mut reeve_job) -> c_int {
    catch_unwind(|| {
        let text = String::from_utf8_lossy(input(job)).into_owned();
        let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
        let numbers: Result<Vec<i64>, _> = inner.split(',').map(|n| n.trim().parse::<i64>()).collect();
        match numbers {
            Ok(list) => {
                let reply = format!("{{\"sum\":{}}}", list.iter().sum::<i64>());
                unsafe { reeve_reply(job, reply.as_ptr() as *const c_void, reply.len()) }
            }
            Err(e) => {
                fail(job, "NOT_NUMBERS", &format!("the input must be an array of whole numbers: {e}"));
                REEVE_E_INVALID
            }
        }
    })
    .unwrap_or(REEVE_E_INTERNAL)
}

const fn text(bytes: &'static [u8]) -> *const c_char {
    bytes.as_ptr() as *const c_char
}

static SUM: reeve_capability = reeve_capability {
    size: std::mem::size_of::<reeve_capability>() as u32,
    flags: 2,
    name: text(b"rust.sum\0"),
    version: text(b"1.0.0\0"),
    summary: text(b"Adds up whole numbers.\0"),
    mode: text(b"transactional\0"),
    tags: std::ptr::null(),
    input_schema: std::ptr::null(),
    output_schema: std::ptr::null(),
    item_schema: std::ptr::null(),
    errors: std::ptr::null(),
    handle: sum,
    cancel: None,
};
static CAPABILITIES: List = List([&SUM, std::ptr::null()]);

#[no_mangle]
pub static reeve_export: reeve_worker = reeve_worker {
    size: std::mem::size_of::<reeve_worker>() as u32,
    abi: 1,
    name: text(b"worker-rust\0"),
    version: text(b"1.0.0\0"),
    platform: std::ptr::null(),
    config_schema: std::ptr::null(),
    capabilities: &CAPABILITIES.0 as *const _,
    start: None,
    drain: None,
    stop: None,
    healthy: None,
};

#[cfg(not(module))]
fn main() {
    let arguments: Vec<CString> = std::env::args().map(|a| CString::new(a).unwrap_or_default()).collect();
    let mut pointers: Vec<*mut c_char> = arguments.iter().map(|a| a.as_ptr() as *mut c_char).collect();
    pointers.push(std::ptr::null_mut());
    std::process::exit(unsafe { reeve_main(arguments.len() as c_int, pointers.as_mut_ptr(), &reeve_export) });
}
