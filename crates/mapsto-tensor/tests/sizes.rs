//! Sizes that overflow and sizes that no memory holds, through every operation there is: each is an error, at the line of
//! the caller, that `catch` catches.

use mapsto_tensor::ops::*;
use mapsto_tensor::prelude::*;
use mapsto_tensor::random::{Distribution, Stream, next};
use std::panic::{AssertUnwindSafe, catch_unwind};

type Case = (&'static str, Box<dyn Fn() -> Tensor>);

macro_rules! cases {
    ($($name:ident: $y:expr;)*) => { vec![$((stringify!($name), Box::new(|| $y) as Box<dyn Fn() -> Tensor>)),*] };
}

/// Ones of which only one is held.
fn seen_as(shape: &[usize]) -> Tensor {
    Tensor::ones(vec![1; shape.len()]).expand(shape)
}

/// As many zeros, as ids.
fn zero_ids(n: usize) -> Tensor {
    Tensor::zeros([1]).to(DType::I64).expand([n])
}

/// Operations whose result has too many elements to be counted in bytes, though each input has not.
fn uncountable() -> Vec<Case> {
    const M: usize = 0x5555_5555_5555_5556; // 1000·M is 2000 − 2⁶⁴·…, in 64 bits a small number
    const H: usize = 1 << 31;
    cases! {
        zeros: Tensor::zeros([M, 3]);
        zeros_of_nothing: Tensor::zeros([0, H, H]);
        ones: Tensor::ones([H, H]);
        full: Tensor::full([H, H, 4], 1.0);
        full_of: Tensor::full_of([usize::MAX], 1.0, DType::U8);
        from_slice: Tensor::from_slice::<f32>(&[], [H, H, 4]);
        from_vec: Tensor::from_vec(vec![0f32; 1], [M, 3, 1 << 63, 2]);
        arange: Tensor::arange(i64::MIN..i64::MAX);
        linspace: Tensor::linspace(0.0, 1.0, usize::MAX);
        eye: Tensor::eye(1 << 32);
        randn: Tensor::randn([H, H]);
        rand: Tensor::rand([H, H, 4]);
        bernoulli: Tensor::bernoulli([H, H], 0.5);
        permutation: Tensor::permutation(usize::MAX);
        random: Tensor::random(next(Stream::User), Distribution::Normal(0.0, 1.0), [H, H], DType::F16);
        expand: Tensor::ones([1, 1000]).expand([M, 1000]);
        expand_more_axes: seen_as(&[H]).expand([H, H]);
        expand_nothing: Tensor::ones([0, 1]).expand([0, 1]).expand([H, H, 0, 1]);
        add: seen_as(&[H, 1]) + seen_as(&[1, H]);
        maximum: seen_as(&[H, 1]).maximum(seen_as(&[1, H]));
        compare: seen_as(&[H, 1]).lt(seen_as(&[1, H]));
        logical: Tensor::ones([1]).gt(0.0).expand([H, 1]).and(&Tensor::ones([1]).gt(0.0).expand([1, H]));
        choose: Tensor::ones([1]).gt(0.0).choose(seen_as(&[H, 1]), seen_as(&[1, H]));
        masked_fill: seen_as(&[H, 1]).masked_fill(&Tensor::ones([1]).gt(0.0).expand([1, H]), 0.0);
        reshape: Tensor::ones([0]).reshape([H, H, 0]);
        reshape_wraps: Tensor::ones([0]).reshape([1usize << 32, 1 << 32]);
        reshape_negative: Tensor::ones([1]).reshape([usize::MAX]);
        cat: Tensor::cat(&vec![seen_as(&[1 << 59]); 16], 0);
        stack: Tensor::stack(&vec![seen_as(&[1 << 59]); 2], 0);
        pad: Tensor::ones([2]).pad(&[(usize::MAX, 1)], 0.0);
        pad_two: Tensor::ones([1, 1]).pad(&[(H, 0), (H, 0)], 0.0);
        one_hot: zero_ids(2).one_hot(1 << 59);
        matmul: seen_as(&[1 << 40, 2]).matmul(&seen_as(&[2, 1 << 40]));
        matmul_rows: seen_as(&[1 << 59, 1]).matmul(&Tensor::ones([1, 3]));
        matmul_batch: seen_as(&[1 << 40, 1, 2, 1]).matmul(&seen_as(&[1 << 20, 1, 1]));
        outer: seen_as(&[1 << 40, 1]).matmul(&seen_as(&[1, 1 << 40]));
        linear: seen_as(&[1 << 40, 2]).linear(&seen_as(&[1 << 40, 2]), None);
        linear_relu: seen_as(&[1 << 40, 2]).linear_relu(&seen_as(&[1 << 40, 2]), None);
        embedding: zero_ids(1 << 20).embedding(&seen_as(&[1, 1 << 40]));
        index_select: seen_as(&[2, 1 << 40]).index_select(0, &zero_ids(1 << 40));
        window: Tensor::ones([1, 1, 4, 4]).window(Window::new(1 << 20).padding(1 << 20));
        window_transpose: seen_as(&[1 << 40, 1 << 18, 1]).window_transpose(Window::new(1).stride(1 << 20), [1 << 10, 1 << 10]);
        window_many: seen_as(&[1 << 40, 1 << 18, 2, 2]).window(Window::new(1));
        conv2d: seen_as(&[1 << 30, 1, 1, 1]).conv2d(&seen_as(&[1 << 30, 1, 1, 1]), None, Conv2dOptions::new());
        conv2d_then: seen_as(&[1, 1, 1, 1]).conv2d_then(&seen_as(&[1 << 30, 1, 1, 1]), Conv2dOptions::new().padding(1 << 20), Conv2dThen::new());
        conv1d: seen_as(&[1 << 30, 1, 1]).conv1d(&seen_as(&[1 << 30, 1, 1]), None, Conv1dOptions::new());
        conv3d: seen_as(&[1 << 30, 1, 1, 1, 1]).conv3d(&seen_as(&[1 << 30, 1, 1, 1, 1]), None, Conv3dOptions::new());
        conv_transpose1d: seen_as(&[1 << 30, 1, 1]).conv_transpose1d(&seen_as(&[1, 1 << 30, 1]), None, ConvTranspose1dOptions::new());
        conv_transpose2d: seen_as(&[1, 1, 2, 2]).conv_transpose2d(&seen_as(&[1, 1, 1, 1]), None, ConvTranspose2dOptions::new().stride(1 << 40));
        conv_transpose3d: seen_as(&[1 << 30, 1, 1, 1, 1]).conv_transpose3d(&seen_as(&[1, 1 << 30, 1, 1, 1]), None, ConvTranspose3dOptions::new());
        avg_pool2d: Tensor::ones([1, 1, 1, 1]).avg_pool2d_with(Pool2d::new(1 << 40).padding(1 << 39));
        max_pool2d: seen_as(&[1 << 40, 1 << 19, 1, 1]).max_pool2d_with(Pool2d::new([2, 2]).stride(1).padding(1));
        adaptive_avg_pool2d: Tensor::ones([1, 1, 2, 2]).adaptive_avg_pool2d(1 << 31);
        adaptive_max_pool2d: Tensor::ones([1, 1, 2, 2]).adaptive_max_pool2d(1 << 31);
        adaptive_avg_pool3d: Tensor::ones([1, 1, 2, 2, 2]).adaptive_avg_pool3d(1 << 31);
        max_pool3d: seen_as(&[1 << 40, 1 << 19, 1, 1, 1]).max_pool3d_with(Pool3d::new(2).stride(1).padding(1));
        interpolate: Tensor::ones([1, 1, 2, 2]).interpolate(&Resize::to([1 << 31]));
        interpolate_by: Tensor::ones([1, 1, 2, 2]).interpolate(&Resize::by([1e18]));
        affine_grid2d: Tensor::ones([1, 2, 3]).affine_grid2d(1 << 31, Ends::Edges);
        pad_with: seen_as(&[1 << 40, 2]).pad_with(&[(0, 0), (1 << 30, 0)], Border::Replicate);
        pad_with_two: Tensor::ones([2]).pad_with(&[(usize::MAX, 1)], Border::Replicate);
        max_unpool1d: seen_as(&[1 << 40, 1 << 19, 2]).max_unpool1d(&zero_ids(1).reshape([1, 1, 1]).expand([1usize << 40, 1 << 19, 2]), Pool1d::new(4));
        roi_align: seen_as(&[1, 1 << 40, 1, 1]).roi_align(&tensor![[0.0, 0.0, 0.0, 1.0, 1.0]], RoiAlign::new(1 << 12));
        attention: attention(&seen_as(&[1, 1, 1 << 40, 1]), &seen_as(&[1, 1, 1, 1]), &seen_as(&[1, 1, 1, 1 << 40]), Mask::None);
        scaled_dot_product_attention: scaled_dot_product_attention(&seen_as(&[1, 1, 1 << 40, 1]), &seen_as(&[1, 1, 1, 1]), &seen_as(&[1, 1, 1, 1 << 40]), &Default::default());
        attention_weights: attention_weights(&seen_as(&[1, 1, 1 << 40, 1]), &seen_as(&[1, 1, 1 << 40, 1]), Mask::None);
        lstm: seen_as(&[1, 1 << 40, 1]).lstm(&seen_as(&[1, 1 << 20]), &seen_as(&[1, 1 << 20]), &seen_as(&[1 << 22, 1]), &seen_as(&[1 << 22, 1 << 20]), None).0;
        rnn: seen_as(&[1, 1 << 40, 1]).rnn(&seen_as(&[1, 1 << 20]), &seen_as(&[1 << 20, 1]), &seen_as(&[1 << 20, 1 << 20]), None).0;
        gru: seen_as(&[1, 1 << 40, 1]).gru(&seen_as(&[1, 1 << 20]), &seen_as(&[3 << 20, 1]), &seen_as(&[3 << 20, 1 << 20]), None).0;
    }
}

#[test]
fn a_result_too_large_to_be_counted_is_refused_at_the_callers_line() {
    let cases = uncountable();
    for (name, make) in &cases {
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| make().len())) else {
            panic!("{name}: no error")
        };
        let text = payload.downcast_ref::<String>().cloned().unwrap_or_default();
        let told = ["more elements than can be addressed", "does not fit", "no window fits"];
        assert!(told.iter().any(|t| text.contains(t)), "{name}: {text}");
        assert!(text.contains(file!()), "{name} is not blamed on the caller's line: {text}");
    }
    println!("{} operations refused", cases.len());
}

/// Every file of `ops/` on a view of 2⁵⁴ or more elements, of which one is held. The result is as large, so it is a view
/// or an error.
fn beyond_memory() -> Vec<Case> {
    const N: usize = 1 << 27;
    let x = || seen_as(&[N, N]);
    let whole = || Tensor::zeros([1, 1]).to(DType::I64).expand([N, N]);
    let truth = || Tensor::ones([1, 1]).gt(0.0).expand([N, N]);
    let image = || seen_as(&[N, N, 2, 2]);
    let sequence = || seen_as(&[N, N, 1]);
    let one = || Tensor::ones([1, 1]);
    macro_rules! on { ($($name:ident: $y:expr;)*) => { vec![$((stringify!($name), Box::new(move || $y) as Box<dyn Fn() -> Tensor>)),*] } }
    on! {
        abs: x().abs();
        adaptive_avg_pool2d: image().adaptive_avg_pool2d(1);
        adaptive_max_pool2d: image().adaptive_max_pool2d(1);
        adaptive_pool3d: image().unsqueeze(2).adaptive_avg_pool3d(1);
        affine_grid: seen_as(&[1 << 54, 2, 3]).affine_grid2d(1, Ends::Edges);
        avg_pool3d: image().unsqueeze(2).avg_pool3d(1);
        grid_sample: seen_as(&[1, 1 << 54, 2, 2]).grid_sample(&seen_as(&[1, 1, 1, 2]), GridSample::new());
        interpolate: image().interpolate(&Resize::by([2.0]));
        lp_pool: image().lp_pool2d(2.0, Pool2d::new(2));
        max_pool3d: image().unsqueeze(2).max_pool3d(1);
        max_unpool: image().max_unpool2d(&whole().unsqueeze(2).unsqueeze(2).expand([N, N, 2, 2]), Pool2d::new(1));
        nms: seen_as(&[1 << 54, 4]).nms(&seen_as(&[1 << 54]), 0.5);
        pad_with: image().pad_with(&[(0, 0), (0, 0), (0, 0), (1, 0)], Border::Reflect);
        pixel_shuffle: x().channel_shuffle(2);
        roi_align: seen_as(&[1, 1 << 54, 2, 2]).roi_align(&tensor![[0.0, 0.0, 0.0, 1.0, 1.0]], RoiAlign::new(1));
        sample: seen_as(&[1, 1 << 54, 2]).sample_places(&tensor![0], &tensor![[[0]]], &tensor![[[1.0]]]);
        add: x() + 1.0;
        all: truth().unsqueeze(0).all(0);
        any: truth().unsqueeze(0).any(0);
        argmax: x().unsqueeze(0).argmax(0);
        argmin: x().unsqueeze(0).argmin(0);
        argsort: x().argsort(0);
        attention: attention(&image(), &image(), &image(), Mask::None);
        scaled_dot_product_attention: scaled_dot_product_attention(&image(), &image(), &image(), &AttentionOptions::default());
        avg_pool2d: image().avg_pool2d(2);
        batch_norm: x().batch_norm(&seen_as(&[N]), &seen_as(&[N]), 1e-5).0;
        bce: x().bce(&x());
        bce_with_logits: x().bce_with_logits(&x());
        cast: x().to(DType::F16);
        cat: Tensor::cat(&[x(), x()], 0);
        ceil: x().ceil();
        chunk: x().chunk::<2>(0)[1].clone();
        clamp: x().clamp(0.0, 0.5);
        compare: x().lt(0.5);
        contiguous: x().contiguous();
        conv2d: image().conv2d(&seen_as(&[1, N, 1, 1]), None, Conv2dOptions::new());
        conv1d: sequence().conv1d(&seen_as(&[1, N, 1]), None, Conv1dOptions::new());
        conv2d_then: image().conv2d_then(&seen_as(&[1, N, 1, 1]), Conv2dOptions::new(), Conv2dThen::new().relu());
        conv3d: image().unsqueeze(-1).conv3d(&seen_as(&[1, N, 1, 1, 1]), None, Conv3dOptions::new());
        conv_transpose1d: sequence().conv_transpose1d(&seen_as(&[N, 1, 1]), None, ConvTranspose1dOptions::new());
        conv_transpose2d: image().conv_transpose2d(&seen_as(&[N, 1, 1, 1]), None, ConvTranspose2dOptions::new());
        conv_transpose3d: image().unsqueeze(-1).conv_transpose3d(&seen_as(&[N, 1, 1, 1, 1]), None, ConvTranspose3dOptions::new());
        cos: x().cos();
        cross_entropy: x().cross_entropy(&zero_ids(N));
        cumsum: x().cumsum(0);
        div: x() / 2.0;
        dropout: train(|| x().dropout(0.5));
        elu: x().elu(1.0);
        embedding: whole().embedding(&one());
        erf: x().erf();
        exp: x().exp();
        expand: x().expand([2, N, N]);
        expm1: x().expm1();
        floor: x().floor();
        gather: x().gather(0, &whole());
        gelu: x().gelu();
        gelu_tanh: x().gelu_tanh();
        rnn: sequence().rnn(&seen_as(&[N, 1]), &seen_as(&[1, 1]), &seen_as(&[1, 1]), None).0;
        ctc_loss: seen_as(&[1, N, N]).ctc_loss(&tensor![[1]], None);
        gru: sequence().gru(&seen_as(&[N, 1]), &seen_as(&[3, 1]), &seen_as(&[3, 1]), None).0;
        index: x().index((1.., 0..5));
        index_select: x().index_select(0, &zero_ids(N));
        is_inf: x().is_inf();
        is_nan: x().is_nan();
        layer_norm: x().layer_norm(&seen_as(&[N]), None, 1e-5);
        leaky_relu: x().leaky_relu(0.1);
        linear: x().linear(&x(), None);
        log: x().log();
        log1p: x().log1p();
        log_softmax: x().log_softmax(-1);
        logical: truth().not();
        logsumexp: x().unsqueeze(0).logsumexp(0);
        lstm: sequence().lstm(&seen_as(&[N, 1]), &seen_as(&[N, 1]), &seen_as(&[4, 1]), &seen_as(&[4, 1]), None).0;
        masked_fill: x().masked_fill(&truth(), 0.0);
        matmul: x().matmul(&x());
        max: x().unsqueeze(0).max(0);
        max_pool2d: image().max_pool2d(2);
        maximum: x().maximum(0.5);
        mean: x().unsqueeze(0).mean(0);
        min: x().unsqueeze(0).min(0);
        minimum: x().minimum(0.5);
        mse: x().mse(&x());
        mul: x() * 2.0;
        neg: -x();
        one_hot: whole().one_hot(1);
        pad: x().pad(&[(1, 0), (0, 0)], 0.0);
        permute: x().permute([1, 0]);
        pow: x().pow(2.0);
        powt: x().powt(&x());
        prod: x().unsqueeze(0).prod(0);
        recip: x().recip();
        relu: x().relu();
        reshape: x().reshape([-1]);
        round: x().round();
        rsqrt: x().rsqrt();
        scatter_add: x().scatter_add(0, &whole(), &x());
        sigmoid: x().sigmoid();
        sign: x().sign();
        silu: x().silu();
        sin: x().sin();
        slice: x().slice(0, 1..);
        softmax: x().softmax(-1);
        softplus: x().softplus();
        sort: x().sort(0).0;
        split: x().split(&[1, N - 1], 0)[1].clone();
        sqrt: x().sqrt();
        square: x().square();
        stack: Tensor::stack(&[x(), x()], 0);
        std: x().unsqueeze(0).expand([2, N, N]).std(0);
        sub: x() - 1.0;
        sum: x().unsqueeze(0).sum(0);
        tanh: x().tanh();
        to_device: x().to_device(mapsto_tensor::check::far::device());
        topk: x().topk(1, 0).0;
        var: x().unsqueeze(0).expand([2, N, N]).var(0);
        choose: truth().choose(x(), 0.0);
        asinh: x().asinh();
        atan: x().atan();
        atan2: x().atan2(0.5);
        bincount: whole().bincount(0);
        bitwise: whole().bitwise_not();
        copysign: x().copysign(1.0);
        cosine_similarity: x().cosine_similarity(&x(), 0, 1e-8);
        cummax: x().unsqueeze(0).cummax(0).0;
        cumprod: x().unsqueeze(0).logcumsumexp(0);
        diagonal: seen_as(&[N, N, 1, 1]).tril(0);
        diff: x().diff(1, 0);
        einsum: Tensor::einsum("ij,jk", &[x(), x()]);
        erfc: x().erfc();
        erfinv: x().erfinv();
        hardtanh: x().relu6();
        index_fill: x().unsqueeze(0).index_fill(0, &zero_ids(1), 1.0);
        isclose: x().isclose(0.5, 0.1, 0.1);
        lerp: x().lerp(&x(), 0.5);
        lgamma: x().lgamma();
        log2: x().log2();
        log_sigmoid: x().log_sigmoid();
        logaddexp: x().logaddexp(0.5);
        logit: x().logit();
        masked_select: x().masked_select(&truth());
        mish: x().mish();
        mode: x().mode(0).0;
        movedim: x().movedim(0, 1);
        nan_to_num: x().nan_to_num();
        nansum: x().unsqueeze(0).nansum(0);
        norm: x().unsqueeze(0).norm(2.0, 0);
        outer: seen_as(&[N]).outer(&seen_as(&[N]));
        quantile: x().quantile(0.5, 0);
        remainder: x().remainder(0.5);
        repeat: x().repeat([2, 1]);
        roll: x().roll(1, 0);
        scatter_reduce: x().scatter(0, &whole(), &x());
        searchsorted: seen_as(&[1]).searchsorted(&x(), Side::Left);
        selu: x().selu();
        shrink: x().tanhshrink();
        sinc: x().sinc();
        sinh: x().sinh();
        softsign: x().softsign();
        take_along_dim: x().take_along_dim(&whole(), 0);
        tan: x().tan();
        trunc: x().trunc();
        unfold: x().unsqueeze(0).unfold(0, 1, 1);
        unique: x().unique().0;
        window: image().window(Window::new(1));
        bessel: x().i0();
        block_diag: Tensor::block_diag(&[x(), one()]);
        combinations: seen_as(&[N]).combinations(2);
        cov: x().cov(1);
        entr: x().entr();
        erfcx: x().erfcx();
        fmax: x().fmax(0.5);
        frexp: x().frexp().0;
        gammainc: x().gammainc(0.5);
        gcd: whole().gcd(3);
        hstack: Tensor::hstack(&[x(), x()]);
        implicit: mapsto_tensor::random::standard_gamma(&x());
        index_copy: x().index_copy(0, &zero_ids(1), &seen_as(&[1, N]));
        isin: x().isin(&one());
        kthvalue: x().kthvalue(1, 0).0;
        masked_scatter: x().masked_scatter(&truth(), &one());
        multigammaln: x().multigammaln(1);
        nanquantile: x().nanquantile(0.5, 0, Between::Linear);
        ndtr: x().ndtr();
        nextafter: x().nextafter(0.5);
        slice_scatter: x().slice_scatter(0, 0..1, &seen_as(&[1, N]));
        tensor_split: x().tensor_split(3, 0).remove(0);
        trapezoid: x().unsqueeze(0).cumulative_trapezoid(0.5, 1);
        tril_indices: x().diag_embed();
        xlog1py: x().xlog1py(0.5);
        zeta: x().zeta(0.5);
    }
}

#[test]
fn what_no_memory_holds_is_an_error_and_not_the_end_of_the_process() {
    let cases = beyond_memory();
    let (mut views, mut refused) = (0, 0);
    for file in FILES {
        assert!(
            cases.iter().any(|(name, _)| name == file),
            "give `{file}` a line in `beyond_memory` of {}: a call with more elements than memory holds",
            file!()
        );
    }
    for (name, make) in &cases {
        match catch(make) {
            Ok(y) => {
                assert!(y.storage().bytes() <= 64, "{name} holds {} bytes", y.storage().bytes());
                views += 1;
            }
            Err(e) => {
                let told = ["bytes are needed", "more elements than can be addressed"];
                assert!(told.iter().any(|t| e.message().contains(t)), "{name}: {e}");
                refused += 1;
            }
        }
    }
    for n in [1usize << 40, 1 << 44, 1 << 50, (1 << 60) - 1] {
        let made: [Case; 9] = [
            ("zeros", Box::new(move || Tensor::zeros([n]))),
            ("full_of", Box::new(move || Tensor::full_of([n], 1.0, DType::F64))),
            ("randn", Box::new(move || Tensor::randn([n]))),
            ("bernoulli", Box::new(move || Tensor::bernoulli([n], 0.5))),
            ("arange", Box::new(move || Tensor::arange(0..n as i64))),
            ("linspace", Box::new(move || Tensor::linspace(0.0, 1.0, n))),
            ("eye", Box::new(move || Tensor::eye(n.isqrt()))),
            ("permutation", Box::new(move || Tensor::permutation(n))),
            ("pad", Box::new(move || Tensor::ones([1]).pad(&[(0, n - 1)], 0.0))),
        ];
        for (name, make) in made {
            let e = catch(make).expect_err(name);
            assert!(e.message().contains("bytes are needed"), "{name} of {n}: {e}");
            refused += 1;
        }
    }
    let x = seen_as(&[1 << 27, 1 << 27]);
    for (name, read) in [
        ("to_vec", (|x: &Tensor| x.to_vec::<f32>().len()) as fn(&Tensor) -> usize),
        ("is_finite", |x| x.is_finite() as usize),
        ("as_mut_slice", |x| x.clone().as_mut_slice::<f32>().len()),
    ] {
        let e = catch(|| read(&x)).expect_err(name);
        assert!(e.message().contains("bytes are needed"), "{name}: {e}");
        refused += 1;
    }
    println!("{} operations: {views} views, {refused} errors", cases.len());
    // All is well afterwards.
    assert_eq!(Tensor::ones([1000]).sum(..).item(), 1000.0);
}
