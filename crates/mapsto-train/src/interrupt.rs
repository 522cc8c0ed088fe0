//! A polite request to stop: training finishes its step, saves, and returns what it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that any thread, callback or signal may raise and a [`Trainer`](crate::Trainer) looks at after each step.
///
/// ```
/// use mapsto_train::Interrupt;
/// let interrupt = Interrupt::new();
/// let elsewhere = interrupt.clone(); // the same flag
/// elsewhere.request();
/// assert!(interrupt.requested());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// A flag not yet raised.
    #[must_use]
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// Asks training to stop after the step it is in.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The flag that Ctrl-C raises, as do SIGTERM and SIGHUP where there are signals; a second one ends the process at once
    /// with exit code 130.
    ///
    /// The handler is installed once for the process; later calls return the same flag.
    ///
    /// # Errors
    /// When the system refuses the handler, or another part of the program has installed one.
    #[cfg(feature = "signals")]
    pub fn on_ctrl_c() -> mapsto_tensor::Result<Interrupt> {
        use std::sync::Mutex;
        static INSTALLED: Mutex<Option<Interrupt>> = Mutex::new(None);
        let mut installed = INSTALLED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(interrupt) = &*installed {
            return Ok(interrupt.clone());
        }
        let interrupt = Interrupt::new();
        let raised = interrupt.clone();
        ctrlc::set_handler(move || {
            if raised.requested() {
                std::process::exit(130);
            }
            raised.request();
        })
        .map_err(|e| {
            mapsto_tensor::Error::new(mapsto_tensor::ErrorKind::Usage, format!("ctrl-c: {e}"))
                .help("the program already handles Ctrl-C: raise an `Interrupt` of its own from there")
        })?;
        Ok(installed.insert(interrupt).clone())
    }
}

#[test]
fn clones_are_one_flag() {
    let a = Interrupt::new();
    let b = a.clone();
    assert!(!b.requested());
    a.request();
    assert!(b.requested() && !Interrupt::new().requested());
}
