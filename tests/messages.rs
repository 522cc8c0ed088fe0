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
        ("a probability above one", Box::new(move || drop(zeros(&[3]).dropout(1.5)))),
    ]
}

#[test]
fn messages_are_as_reviewed() {
    let mut shown = String::new();
    for (name, mistake) in mistakes() {
        let error = catch(mistake).expect_err(name);
        shown += &format!("# {name} (exit code {})\n{error}\n\n", error.kind().exit_code());
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
