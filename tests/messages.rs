//! What a mistake is told: every message as it is shown, compared with `messages.txt`.
//!
//! `cargo xtask bless` rewrites the file.

use mapsto::nn::{bce, nll};
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
        (
            "a penalty outside train",
            Box::new(|| {
                let net = Linear::new(2, 1);
                let loss = train(|| net.forward(&Tensor::ones([1, 2])).sum(..));
                let total = loss + net.weight.square().sum(..) * 0.01;
                drop(total.backward())
            }),
        ),
        (
            "all parameters frozen",
            Box::new(|| {
                let mut net = Linear::new(2, 1);
                net.freeze("*").expect("there are some");
                drop(train(|| net.forward(&Tensor::ones([1, 2])).sum(..)).backward())
            }),
        ),
        (
            "a forward pass in another thread",
            Box::new(|| {
                let net = Linear::new(2, 1);
                let forward = || net.forward(&Tensor::ones([1, 2])).sum(..);
                let loss = train(|| std::thread::scope(|s| s.spawn(forward).join().expect("no panic")));
                drop(loss.backward())
            }),
        ),
        ("a loss of constants", Box::new(|| drop(train(|| Tensor::ones([2]).sum(..)).backward()))),
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

/// Mistakes in operations that are made of others, which speak in their own name.
fn of_composed_operations() -> Vec<Mistake> {
    let zeros = |s: &[usize]| Tensor::zeros(s);
    vec![
        ("a stack of unequal shapes", Box::new(move || drop(Tensor::stack(&[zeros(&[2]), zeros(&[3])], 0)))),
        (
            "a stack of unequal dtypes",
            Box::new(move || drop(Tensor::stack(&[zeros(&[2]), tensor![1, 2]], 0))),
        ),
        ("a stack along no axis", Box::new(move || drop(Tensor::stack(&[zeros(&[2])], 3)))),
        ("a mask of numbers", Box::new(move || drop(zeros(&[2]).masked_fill(&tensor![1.0, 0.0], 0.0)))),
        (
            "a mask of another shape",
            Box::new(move || drop(zeros(&[2, 3]).masked_fill(&tensor![true, false], 0.0))),
        ),
        ("an index out of an axis", Box::new(move || drop(zeros(&[2, 3]).index((0, 5))))),
        ("the spread of integers", Box::new(|| drop(tensor![1, 2].std(..)))),
        ("a root of integers", Box::new(|| drop(tensor![1, 2].pow(0.5)))),
    ]
}

/// Mistakes that would train badly in silence, and names that nothing has.
fn of_losses_and_training() -> Vec<Mistake> {
    fn learned<L: Fn(&Tensor) -> Tensor>(last: L, loss: impl Fn(&Tensor) -> Tensor) {
        let net = Linear::new(4, 3);
        drop(train(|| loss(&last(&net.forward(&Tensor::ones([2, 4]))))));
    }
    let ids = || tensor![0, 2];
    fn fitted(change: impl FnOnce(Trainer) -> Trainer) {
        let set = InMemory::new(Tensor::ones([4, 2]), Tensor::ones([4, 1]));
        let trainer = Trainer::new(Sgd::new(0.1), mse).quiet();
        let fit = change(trainer).fit(&mut Linear::new(2, 1), set.batches(2), set.batches(2));
        mapsto::error::raise(fit.expect_err("a mistake"))
    }
    vec![
        (
            "a softmax before cross-entropy",
            Box::new(move || learned(|y| y.softmax(-1), |y| cross_entropy(y, &ids()))),
        ),
        (
            "a logarithm of a softmax before cross-entropy",
            Box::new(move || learned(|y| y.log_softmax(-1), |y| cross_entropy(y, &ids()))),
        ),
        (
            "a sigmoid before its loss",
            Box::new(move || learned(Tensor::sigmoid, |y| bce_with_logits(y, &Tensor::ones([2, 3])))),
        ),
        ("a softmax before nll", Box::new(move || learned(|y| y.softmax(-1), |y| nll(y, &ids())))),
        ("scores into nll", Box::new(move || learned(Tensor::clone, |y| nll(y, &ids())))),
        ("scores into bce", Box::new(move || learned(Tensor::clone, |y| bce(y, &Tensor::ones([2, 3]))))),
        (
            "a rectifier before cross-entropy",
            Box::new(move || learned(Tensor::relu, |y| cross_entropy(y, &ids()))),
        ),
        (
            "a softmax of one number",
            Box::new(move || learned(|y| y.slice(1, ..1).softmax(-1), |y| mse(y, &Tensor::ones([2, 1])))),
        ),
        (
            "cross-entropy of one output",
            Box::new(|| drop(cross_entropy(&Tensor::zeros([4, 1]), &Tensor::ones([4, 1])))),
        ),
        (
            "a misspelt group",
            Box::new(|| fitted(|_| Trainer::new(Sgd::new(0.1).group("bais", |g| g.lr(0.0)), mse).quiet())),
        ),
        (
            "a misspelt group with a star",
            Box::new(|| fitted(|_| Trainer::new(Sgd::new(0.1).group("*wieght", |g| g.lr(0.0)), mse).quiet())),
        ),
        ("a misspelt column", Box::new(|| fitted(|t| t.on(EarlyStop::watching("val_loss"))))),
        ("a column that nothing writes", Box::new(|| fitted(|t| t.on(EarlyStop::watching("perplexity"))))),
        ("an empty batch", Box::new(|| drop(mse(&Tensor::zeros([0, 3]), &Tensor::zeros([0, 3]))))),
        (
            "cross-entropy of an empty batch",
            Box::new(|| drop(cross_entropy(&Tensor::zeros([0, 3]), &Tensor::zeros([0]).to(DType::I64)))),
        ),
    ]
}

/// A user's function around an operation.
fn integers(x: &Tensor) -> Tensor {
    x.to(DType::I64).tanh()
}

#[test]
fn messages_are_as_reviewed() {
    let mut shown = String::new();
    for (name, mistake) in
        [mistakes(), of_composed_operations(), of_losses_and_training()].into_iter().flatten()
    {
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
