//! Gradients of samples against a pass for each alone, and where shortcuts are not taken.

use super::*;
use crate::prelude::*;

/// Against a pass for each sample alone, on its own rows.
fn agrees(n: usize, params: &[&Tensor], xs: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) -> bool {
    let losses = record(|| f(xs));
    let found = per_sample_grads(&losses, params);
    let visits = no_grad(|| Visits::of(&losses, params)).expect("two passes that agree");
    let mut fast = Found { params, sums: vec![None; params.len()], slow: HashSet::new() };
    no_grad(|| visits.each(&mut fast));
    for i in 0..n {
        let alone: Vec<Tensor> = xs.iter().map(|x| x.slice(0, i as isize..i as isize + 1)).collect();
        let wanted = grad_or_zeros(&record(|| f(&alone)).sum(..), params);
        for (found, wanted) in found.iter().zip(wanted) {
            assert_close!(found.select(0, i as isize), wanted);
        }
    }
    fast.slow.is_empty()
}

#[test]
fn rows_come_from_two_passes_where_samples_lie_along_the_first_axis() {
    let (w, b) = (Tensor::randn([4, 3]).leaf(), Tensor::randn([4]).leaf());
    let x = Tensor::randn([5, 3]);
    assert!(agrees(5, &[&w, &b], std::slice::from_ref(&x), |x| x[0]
        .linear(&w, Some(&b))
        .tanh()
        .square()
        .sum(1)));
    assert!(agrees(5, &[&w, &b], std::slice::from_ref(&x), |x| x[0].linear_relu(&w, Some(&b)).exp().sum(1)));
    assert!(agrees(5, &[&w, &b], std::slice::from_ref(&x), |x| (x[0].matmul(&w.t()) * &b).sin().sum(1)));
    // Weights that are computed from parameters, used twice, and rows of several places each.
    let s = Tensor::randn([3, 3]).leaf();
    let x = Tensor::randn([3, 4, 3]);
    let f = |x: &[Tensor]| {
        let n = x[0].shape()[0];
        let m = (&s * 2.0).matmul(&s.t());
        let y = x[0].reshape([n * 4, 3]).matmul(&m).tanh().reshape([n, 4, 3]);
        (y.matmul(&m) + &s.select(0, 1)).square().sum(&[1, 2][..])
    };
    assert!(agrees(3, &[&s], &[x], f));
    let (k, c) = (Tensor::randn([2, 3, 3, 3]).leaf(), Tensor::randn([2]).leaf());
    let f =
        |x: &[Tensor]| x[0].conv2d(&k, Some(&c), Conv2dOptions::new().padding(1)).relu().sum(&[1, 2, 3][..]);
    assert!(agrees(4, &[&k, &c], &[Tensor::randn([4, 3, 6, 5])], f));
    let (table, gamma) = (Tensor::randn([7, 3]).leaf(), Tensor::randn([3]).leaf());
    let ids = tensor![[1, 2], [2, 2], [6, 0], [3, 3]];
    let f = |x: &[Tensor]| x[0].embedding(&table).layer_norm(&gamma, None, 1e-5).sin().sum(&[1, 2][..]);
    assert!(agrees(4, &[&table, &gamma], &[ids], f));
}

#[test]
fn recurrent_weights_need_one_pass_more_and_not_one_for_each_sample() {
    let (x, zero) = (Tensor::randn([5, 4, 3]), Tensor::zeros([5, 2]));
    let start = |x: &[Tensor]| zero.slice(0, ..x[0].shape()[0] as isize);
    let leaf = |shape: [usize; 2]| Tensor::randn(shape).leaf();
    for walk in [Walk::new(), Walk::new().reversed()] {
        let (w, u, b) = (leaf([8, 3]), leaf([8, 2]), Tensor::randn([8]).leaf());
        let f = |x: &[Tensor]| {
            let (y, h, c) = x[0].lstm_along(&start(x), &start(x), &w, &u, Some(&b), &walk);
            y.square().sum(&[1, 2][..]) + (h * c).sum(1)
        };
        assert!(agrees(5, &[&w, &u, &b], std::slice::from_ref(&x), f));
        let (w, u, b, d) = (leaf([6, 3]), leaf([6, 2]), Tensor::randn([6]).leaf(), Tensor::randn([6]).leaf());
        for biases in [None, Some([&b, &d])] {
            let f = |x: &[Tensor]| {
                let (y, h) = x[0].gru_along(&start(x), &w, &u, biases, &walk);
                y.square().sum(&[1, 2][..]) + h.sin().sum(1)
            };
            let params: Vec<&Tensor> = [&w, &u].into_iter().chain(biases.into_iter().flatten()).collect();
            assert!(agrees(5, &params, std::slice::from_ref(&x), f));
        }
        let (w, u, b) = (leaf([2, 3]), leaf([2, 2]), Tensor::randn([2]).leaf());
        let f = |x: &[Tensor]| x[0].rnn_along(&start(x), &w, &u, Some(&b), &walk).0.square().sum(&[1, 2][..]);
        assert!(agrees(5, &[&w, &u, &b], std::slice::from_ref(&x), f));
    }
    // Of sequences of different lengths that stand in order.
    let (w, u) = (leaf([8, 3]), leaf([8, 2]));
    let lengths = [4, 4, 3, 2, 1];
    let losses = record(|| {
        let walk = Walk::new().lengths(&lengths);
        x.lstm_along(&zero, &zero, &w, &u, None, &walk).0.square().sum(&[1, 2][..])
    });
    let found = per_sample_grads(&losses, &[&w, &u]);
    for i in 0..5 {
        let at = i as isize..i as isize + 1;
        let alone = record(|| {
            let (x, zero) =
                (x.slice(0, at.clone()).slice(1, ..lengths[i] as isize), zero.slice(0, at.clone()));
            x.lstm(&zero, &zero, &w, &u, None).0.square().sum(..)
        });
        for (found, wanted) in found.iter().zip(grad_or_zeros(&alone, &[&w, &u])) {
            assert_close!(found.select(0, i as isize), wanted);
        }
    }
}

#[test]
fn parts_that_are_computed_again_are_looked_into() {
    let w = Tensor::randn([3, 3]).leaf();
    let held = w.clone();
    let part = move |xs: &[Tensor]| xs[0].linear(&held, None).tanh();
    let f = |x: &[Tensor]| crate::graph::checkpoint(part.clone(), &[&x[0], &w]).square().sum(1);
    assert!(agrees(4, &[&w], &[Tensor::randn([4, 3])], f));
}

#[test]
fn where_samples_lie_elsewhere_it_takes_a_pass_for_each() {
    let w = Tensor::randn([3, 3]).leaf();
    // As many samples as places, which shapes alone cannot tell apart.
    let f = |x: &[Tensor]| x[0].swap(0, 1).contiguous().matmul(&w).tanh().sum(&[0, 2][..]);
    assert!(!agrees(4, &[&w], &[Tensor::randn([4, 4, 3])], f));
    let column = |x: &[Tensor]| w.matmul(&x[0].t()).tanh().sum(0);
    assert!(!agrees(3, &[&w], &[Tensor::randn([3, 3])], column));
}

#[test]
fn what_samples_share_is_still_the_derivative_and_batch_norm_is_refused() {
    // Losses that depend on each other: the definition holds, and no shortcut is taken.
    let w = Tensor::randn([3]).leaf();
    let x = Tensor::randn([4, 3]);
    let f = |w: &Tensor| {
        let y = (&x * w).sum(1);
        &y * y.sum(..)
    };
    let found = per_sample_grads(&f(&w), &[&w]);
    assert_close!(found[0], crate::graph::jacobian(f, &w.detach()));
    let (gamma, beta) = (Tensor::ones([3]).leaf(), Tensor::zeros([3]).leaf());
    let losses = x.batch_norm(&gamma, &beta, 1e-5).0.square().sum(1);
    let e = catch(|| per_sample_grads(&losses, &[&gamma])).unwrap_err();
    assert!(e.message().contains("`batch_norm` mixes the samples"), "{e}");
    let given = x.batch_norm_with(&Tensor::zeros([3]), &Tensor::ones([3]), &gamma, &beta, 1e-5);
    assert_eq!(per_sample_grads(&given.square().sum(1), &[&gamma, &w])[1].to_vec::<f32>(), [0.0; 12]);
}

#[test]
fn mistakes_are_named() {
    let w = Tensor::ones([2]).leaf();
    let y = Tensor::ones([3, 2]) * &w;
    let message = |f: &dyn Fn() -> Vec<Tensor>| catch(f).unwrap_err().message().to_string();
    assert!(message(&|| per_sample_grads(&y, &[&w])).contains("the losses must be [n]"));
    assert!(
        message(&|| per_sample_grads(&y.sum(1), &[&y])).contains("parameter 0, of shape [3, 2], is no leaf")
    );
    assert!(message(&|| per_sample_grads(&tensor![1.0, 2.0], &[&w])).contains("nothing was recorded"));
    assert_eq!(per_sample_grads(&y.slice(0, 0..1).sum(1), &[&w])[0].to_vec::<f32>(), [1.0, 1.0]);
}
