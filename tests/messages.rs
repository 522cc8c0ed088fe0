//! What a mistake is told: every message as it is shown, compared with `messages.txt`.
//!
//! `cargo xtask bless` rewrites the file.

use mapsto::prelude::*;

type Mistake = (&'static str, Box<dyn Fn()>);

/// Some mistakes that everybody makes, with a word for each.
fn mistakes() -> Vec<Mistake> {
    let zeros = |s: &[usize]| Tensor::zeros(s);
    vec![
        ("a transposed weight", Box::new(move || drop(zeros(&[32, 784]).matmul(&zeros(&[128, 784]))))),
        ("inner sizes", Box::new(move || drop(zeros(&[2, 3]).matmul(&zeros(&[4, 5]))))),
        ("no broadcast", Box::new(move || drop(zeros(&[2, 3]) + zeros(&[4])))),
        ("mixed dtypes", Box::new(|| drop(tensor![1.0] + tensor![1]))),
        ("a fraction for integers", Box::new(|| drop(tensor![1, 2] * 0.5))),
        ("integers into tanh", Box::new(|| drop(tensor![1, 2].tanh()))),
        ("another count", Box::new(move || drop(zeros(&[2, 3]).reshape([4, 2])))),
        ("no such axis", Box::new(move || drop(zeros(&[2, 3]).sum(2)))),
        (
            "another rank",
            Box::new(move || {
                let _: [usize; 3] = zeros(&[2, 3]).dims();
            }),
        ),
        (
            "forgotten train scope",
            Box::new(|| drop(Linear::new(2, 1).forward(&Tensor::ones([1, 2])).sum(..).backward())),
        ),
        ("backward of no scalar", Box::new(|| drop(tensor![1.0, 2.0].leaf().tanh().backward()))),
        ("no gradient", Box::new(|| drop(grad(&tensor![1.0].leaf().sum(..), [&tensor![2.0].leaf()])))),
        (
            "a layer of other features",
            Box::new(move || drop(Linear::new(784, 10).forward(&zeros(&[4, 28, 28])))),
        ),
        (
            "a convolution of other channels",
            Box::new(move || drop(Conv2d::new(3, 8, 3).forward(&zeros(&[1, 1, 9, 9])))),
        ),
        ("a loss of unequal shapes", Box::new(move || drop(mse(&zeros(&[4, 1]), &zeros(&[4]))))),
        (
            "probabilities of another size",
            Box::new(move || drop(cross_entropy(&zeros(&[4, 3]), &zeros(&[4, 2])))),
        ),
        ("a class out of range", Box::new(move || drop(cross_entropy(&zeros(&[2, 3]), &tensor![0, 3])))),
        ("an index out of range", Box::new(move || drop(zeros(&[3, 2]).index_select(0, &tensor![0, 5])))),
        (
            "a second backward",
            Box::new(|| {
                let loss = tensor![1.0].leaf().tanh().sum(..);
                let _ = loss.backward();
                drop(loss.backward())
            }),
        ),
        (
            "the gradient of what is no leaf",
            Box::new(|| {
                let x = tensor![1.0].leaf();
                let h = x.tanh();
                drop(h.sum(..).backward().of(&h).clone())
            }),
        ),
        (
            "the gradient of a leaf that was not used",
            Box::new(|| drop(tensor![1.0].leaf().sum(..).backward().of(&tensor![1.0].leaf()).clone())),
        ),
        (
            "a second gradient from another tensor",
            Box::new(|| {
                let x = tensor![1.0].leaf();
                drop(grad(&x.sum(..), [&tensor![2.0].leaf()]))
            }),
        ),
        (
            "a layer in a list that does not fit",
            Box::new(move || {
                let net = seq![Linear::new(4, 9), Tensor::relu, Linear::new(2, 3)];
                drop(net.forward(&zeros(&[5, 4])))
            }),
        ),
        (
            "a layer in a list in a list",
            Box::new(move || {
                let net = seq![Linear::new(4, 4), seq![Flatten::new(), Conv2d::new(1, 2, 3)]];
                drop(net.forward(&zeros(&[5, 4])))
            }),
        ),
        ("a layer applied", Box::new(move || drop(zeros(&[5, 4]).apply(&Linear::new(2, 3))))),
        (
            "a function in a list",
            Box::new(move || drop(seq![|x: &Tensor| x.reshape([3, 3])].forward(&zeros(&[5, 4])))),
        ),
        ("an operation passed by name", Box::new(move || drop(Some(zeros(&[2])).as_ref().map(integers)))),
        ("a probability above one", Box::new(move || drop(zeros(&[3]).dropout(1.5)))),
    ]
}

/// A user's function around an operation.
fn integers(x: &Tensor) -> Tensor {
    x.to(DType::I64).tanh()
}

#[test]
fn messages_are_as_reviewed() {
    let mut shown = String::new();
    for (name, mistake) in mistakes() {
        let error = catch(mistake).expect_err(name);
        // The line is this file's, and not shown: it moves with every line above it.
        let place = error.location().unwrap_or_default().into_owned();
        assert!(place.starts_with("tests/messages.rs:"), "{name}: at {place:?}, not at the user's line");
        let text = error.to_string();
        let text = text.strip_suffix(&format!("\n  at {place}")).expect("the place comes last");
        shown += &format!("# {name} (exit code {})\n{text}\n\n", error.kind().exit_code());
    }
    let path = mapsto_tests::root().join("tests/messages.txt");
    if std::env::var_os("MAPSTO_BLESS").is_some() {
        std::fs::write(&path, &shown).expect("written");
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    for (a, b) in reviewed.split("\n\n").zip(shown.split("\n\n")) {
        assert_eq!(a, b);
    }
    assert_eq!(reviewed, shown);
}
