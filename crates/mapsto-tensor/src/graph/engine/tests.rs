//! Tests of `engine`.

use super::*;
use crate::prelude::*;

#[test]
fn gradients_of_a_shared_value_add_up() {
    let x = tensor![2.0].leaf();
    let h = x.square();
    let grads = (&h * &h + &h).sum(..).backward(); // x⁴ + x²
    assert_close!(grads.of(&x), [4.0 * 8.0 + 4.0]);
}

#[test]
fn a_second_backward_says_what_to_do() {
    let x = tensor![2.0].leaf();
    let y = x.square().sum(..);
    let _ = y.backward();
    let e = catch(|| y.backward()).unwrap_err();
    assert!(e.message().contains("freed by an earlier `backward`"), "{e}");
}

#[test]
fn forgetting_train_is_loud() {
    let w = tensor![2.0].parameter();
    let e = catch(|| w.square().sum(..).backward()).unwrap_err();
    assert!(e.message().contains("outside `train(|| ..)`"), "{e}");
    assert_close!(train(|| w.square().sum(..)).backward().of(&w), [4.0]);
}

#[test]
fn grad_reaches_intermediate_values_and_differentiates_again() {
    let x = tensor![0.5].leaf();
    let h = x.tanh();
    let [dh, dx] = grad(&h.square().sum(..), [&h, &x]);
    assert_close!(dh, [2.0 * 0.5f64.tanh()]);
    let [ddx] = grad(&dx.sum(..), [&x]);
    let (t, s) = (0.5f64.tanh(), 1.0 - 0.5f64.tanh().powi(2));
    assert_close!(ddx, [2.0 * s * s - 4.0 * t * t * s]);
}

#[test]
fn what_is_not_reached_has_zeros_and_given_gradients_are_products() {
    let (x, other) = (tensor![1.0, 2.0].leaf(), tensor![[5.0]].leaf());
    let found = grad_with(&x.square(), &tensor![1.0, -1.0], &[x.clone(), other.clone()]);
    assert_close!(found[0], [2.0, -4.0]);
    assert_close!(found[1], [[0.0]]);
    let second = grad_or_zeros(&found[0].sum(..), &[&x]);
    assert_close!(second[0], [2.0, -2.0]);
    assert!(catch(|| grad_or_zeros(&tensor![1.0], &[&x])).is_err(), "nothing was recorded");
    assert!(catch(|| grad_or_zeros(&x.square(), &[&x])).unwrap_err().message().contains("2 elements"));
    assert!(catch(|| grad_with(&x.square(), &tensor![1.0], &[&x])).is_err(), "another shape");
}

#[test]
fn a_million_operations_go_forward_backward_and_away_on_a_small_stack() {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(|| {
            let x = tensor![1.0].leaf();
            let chain = || (0..1_000_000).fold(x.clone(), |y, _| -y);
            assert_close!(chain().sum(..).backward().of(&x), [1.0]);
            drop(chain());
        })
        .expect("a thread starts")
        .join()
        .expect("no overflow");
}
