//! What has been made of a block's elements and may be used again while they stay as they are: packed weights.

use std::any::Any;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The forms made of one block, at most [`KEPT`]. A block that has none pays for a flag.
pub(super) struct Derived(OnceLock<Forms>);

type Forms = Box<Mutex<Vec<Arc<dyn Any + Send + Sync>>>>;

/// Weights meet images of few sizes: one, a whole batch, the rest of an epoch.
const KEPT: usize = 3;

impl Derived {
    pub(super) const fn new() -> Derived {
        Derived(OnceLock::new())
    }

    /// The form that fits, made if there is none. Two threads that miss it at once both make it; one is kept.
    pub(super) fn get<D: Send + Sync + 'static>(
        &self,
        fits: impl Fn(&D) -> bool,
        make: impl FnOnce() -> D,
    ) -> Arc<D> {
        let forms = self.0.get_or_init(Forms::default);
        // The list is consistent after any panic: it is only ever pushed to and removed from.
        let lock = || forms.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            lock().iter().find_map(|form| form.clone().downcast::<D>().ok().filter(|form| fits(form)));
        found.unwrap_or_else(|| {
            let form = Arc::new(make());
            let mut forms = lock();
            if forms.len() == KEPT {
                forms.remove(0);
            }
            forms.push(form.clone());
            form
        })
    }

    /// Forgets them all: the elements are about to change.
    #[inline]
    pub(super) fn forget(&mut self) {
        if self.0.get().is_some() {
            self.0 = OnceLock::new();
        }
    }
}

#[test]
fn a_form_is_made_once_for_each_need_until_it_is_forgotten() {
    let mut derived = Derived::new();
    let mut made = 0;
    let mut get = |derived: &Derived, want: usize| {
        *derived.get(
            |&d: &usize| d == want,
            || {
                made += 1;
                want
            },
        )
    };
    for want in [1, 2, 1, 2, 3, 4, 2] {
        assert_eq!(get(&derived, want), want);
    }
    derived.forget();
    assert_eq!(get(&derived, 2), 2);
    assert_eq!(made, 5);
}
