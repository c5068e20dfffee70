//! Panics of other crates that become errors of ours. The panic hook is the whole process's.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// To hold while the hook is exchanged.
pub fn hook() -> MutexGuard<'static, ()> {
    static HOOK: Mutex<()> = Mutex::new(());
    HOOK.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; nothing of a panic in it reaches standard error. What it leaves half-changed must not be used again.
pub fn quietly<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let _guard = hook();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    result
}

/// The first line of what a panic says, without libtorch's frames.
pub fn reason(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    // An unwrapped error is printed with its line ends written out.
    let line = text.split("\\n").next().unwrap_or(text).lines().next().unwrap_or(text);
    let line = line.rsplit_once("(\"").map_or(line, |(_, line)| line);
    line.trim().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_first_line_of_what_it_says() {
        let torch =
            "called `Result::unwrap()` on an `Err` value: Torch(\"Found no NVIDIA driver.\\nframe #0: c10\")";
        assert_eq!(reason(&torch.to_owned()), "Found no NVIDIA driver");
        assert_eq!(reason(&"No adapter.\nmore"), "No adapter");
        assert_eq!(reason(&7), "no reason given");
    }

    #[test]
    fn a_panic_is_caught_and_the_next_call_works() {
        let payload = quietly(|| panic!("stop {}", 3)).expect_err("panics");
        assert_eq!(reason(&*payload), "stop 3");
        assert!(!QUIET.get());
        assert_eq!(quietly(|| 7).expect("no panic"), 7);
    }
}
