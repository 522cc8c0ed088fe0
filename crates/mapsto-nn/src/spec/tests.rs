//! Tests of `spec`.

use super::*;
use crate::layers::LAYERS;
use crate::prelude::*;
use mapsto_spec::Span;

fn linear(n: usize) -> Entry {
    Entry::new("linear").with_value(n)
}

fn error(input: &[usize], layers: impl IntoIterator<Item = Entry>) -> String {
    ModelSpec::new(input, layers).build().expect_err("an error").to_string()
}

/// Every kind of layer that takes no rows of numbers says which one does.
#[test]
fn whoever_has_rows_of_numbers_is_told_what_takes_them() {
    let mut refused = 0;
    for kind in LAYERS {
        let Err(e) = ModelSpec::new([6], [kind.sample()]).build() else { continue };
        if e.message().contains("the input should be [") {
            assert!(e.help_text().is_some_and(|help| help.contains("`linear` takes them")), "{e}");
            refused += 1;
        }
    }
    assert!(refused >= 9, "{refused}");
}

/// Every kind of layer, and every way to draw weights: the outline has the names, shapes and dtypes of what is built.
#[test]
fn an_outline_is_the_model_without_its_numbers() {
    let (mut layers, mut inits) = (0, 0);
    let outline_of = |spec: &ModelSpec| {
        let (outline, model) = (spec.outline().unwrap(), spec.build().unwrap());
        let report = outline.compare_state_dict(model.state_dict(), &crate::Exceptions::none()).unwrap();
        assert!(report.is_complete());
        assert!(outline.state_dict().iter().all(|(_, t)| t.device() == Device::shape()), "{spec:?}");
        assert_eq!(outline.input_dtype(), model.input_dtype());
        assert_eq!(spec.shapes().unwrap(), build_layers(&spec.layers, &spec.input).unwrap().shapes);
    };
    for kind in LAYERS {
        let value = |name: &str| -> mapsto_spec::Value {
            match name {
                "residual" | "sequential" => vec![Entry::new("relu")].into(),
                "adaptive_max_pool2d" | "adaptive_avg_pool2d" => vec![2_usize, 2].into(),
                _ => 2_usize.into(),
            }
        };
        let plain = Entry::new(kind.name);
        let entries = [
            plain.clone(),
            kind.sample(),
            plain.clone().with_value(value(kind.name)),
            plain.with_value(value(kind.name)).with_option("kernel", 3_usize),
            Entry::new(kind.name).with_value(9_usize).with_option("size", 2_usize),
        ];
        let inputs: [&[usize]; 6] = [&[4], &[3, 4], &[2, 6, 6], &[4, 6, 6], &[2, 3, 4, 4], &[2, 2, 3, 3, 3]];
        let specs = inputs
            .iter()
            .flat_map(|input| entries.iter().map(|entry| ModelSpec::new(*input, [entry.clone()])));
        let built: Vec<ModelSpec> = specs.filter(|spec| spec.build().is_ok()).collect();
        assert!(!built.is_empty(), "{} is built by none of these", kind.name);
        built.iter().for_each(outline_of);
        layers += 1;
    }
    for kind in crate::init::INITS {
        let with = |init: Entry| ModelSpec::new([5], [linear(3).with_option("init", init)]);
        let plain = with(Entry::new(kind.name));
        outline_of(&if plain.build().is_ok() { plain } else { with(Entry::new(kind.name).with_value(0.5)) });
        inits += 1;
    }
    assert_eq!((layers, inits), (LAYERS.len(), crate::init::INITS.len()));
}

#[test]
fn rendering_draws_nothing_and_changes_nothing() {
    let spec = ModelSpec::new([3], [linear(4), Entry::new("relu"), linear(2)]);
    let x = tensor![[1.0, 2.0, 3.0]];
    seed(3);
    let direct = spec.build().unwrap().forward(&x).to_vec::<f32>();
    seed(3);
    let rendered = spec.rendered().unwrap();
    assert_eq!(rendered.build().unwrap().forward(&x).to_vec::<f32>(), direct);
    assert_eq!(rendered.rendered().unwrap(), rendered);
}

#[test]
fn errors_point_at_the_entry() {
    let spec = ModelSpec::new([4], [linear(2), Entry::new("linaer").with_value(2_usize).at(30..36)]);
    let error = spec.build().err().unwrap();
    assert_eq!(error.span(), Some(30..36));
    assert_eq!(error.to_string(), "unknown layer `linaer`\nhelp: did you mean `linear`?");
    let mistyped = linear(3).with_option_at("bais", false, Span::new(50, 60)).at(40..46);
    assert_eq!(ModelSpec::new([4], [mistyped]).build().err().unwrap().span(), Some(50..60));
}

#[test]
fn shapes_that_do_not_fit_are_explained() {
    assert_eq!(
        self::error(&[1, 28, 28], [linear(10)]),
        "layers[0]: layer `linear`: the input should be [features] or [steps, features], it is [1, 28, 28]\n\
         help: put \"flatten\" before it"
    );
    assert!(self::error(&[4], [linear(1 << 40)]).contains("is too large"));
    assert!(self::error(&[1 << 40, 1 << 40], []).contains("is too large"));
    assert!(self::error(&[4], [linear(0)]).contains("nothing is left of [4]"));
    assert!(self::error(&[4], [Entry::new("dropout").with_value(1.5)]).contains("got 1.5"));
    let spec = ModelSpec::new([4], [linear(3), linear(2)]);
    assert!(spec.build_within(4 * 3 + 3 + 3 * 2 + 2).is_ok());
    assert!(
        spec.build_within(4 * 3 + 3 + 3 * 2 + 1)
            .err()
            .unwrap()
            .message()
            .contains("more than the model may hold")
    );
    let init = linear(2).with_option("init", "kaiming_norml");
    assert!(self::error(&[4], [init]).contains("did you mean `kaiming_normal`?"));
}

/// An entry of every layer with weights, as others and as many as there are, and the shape it takes.
fn weighty() -> Vec<(Entry, Vec<usize>)> {
    let entry = |name: &str, value: usize| Entry::new(name).with_value(value);
    vec![
        (linear(5), vec![7]),
        (linear(5).with_option("bias", false), vec![3, 7]),
        (entry("conv2d", 4).with_option("kernel", 3usize), vec![2, 8, 8]),
        (entry("conv2d", 4).with_option("kernel", 1usize).with_option("bias", false), vec![2, 8, 8]),
        (Entry::new("batch_norm1d"), vec![9]),
        (Entry::new("batch_norm2d"), vec![9, 2, 2]),
        (Entry::new("layer_norm"), vec![9]),
        (Entry::new("layer_norm").with_option("bias", false), vec![9]),
        (entry("embedding", 10).with_option("size", 4usize), vec![6]),
        (entry("lstm", 3).with_option("layers", 3usize), vec![5, 4]),
        (entry("lstm", 3).with_option("bidirectional", true).with_option("bias", false), vec![5, 4]),
        (entry("gru", 3), vec![5, 4]),
        (entry("rnn", 3).with_option("bidirectional", true), vec![5, 4]),
        (entry("rnn_relu", 3).with_option("layers", 2usize), vec![5, 4]),
        (entry("conv1d", 4).with_option("kernel", 3usize), vec![2, 8]),
        (entry("conv_transpose2d", 4).with_option("kernel", 3usize), vec![2, 4, 4]),
        (entry("conv3d", 4).with_option("kernel", 3usize), vec![2, 4, 4, 4]),
        (entry("conv_transpose1d", 4).with_option("kernel", 3usize), vec![2, 8]),
        (entry("conv_transpose3d", 4).with_option("kernel", 2usize), vec![2, 4, 4, 4]),
        (Entry::new("depthwise_conv1d").with_option("kernel", 3usize), vec![4, 8]),
        (Entry::new("depthwise_conv2d").with_option("kernel", 3usize), vec![4, 8, 8]),
        (entry("separable_conv1d", 4).with_option("kernel", 3usize), vec![4, 8]),
        (entry("separable_conv2d", 4).with_option("kernel", 3usize), vec![4, 8, 8]),
        (Entry::new("batch_norm3d"), vec![9, 2, 2, 2]),
        (Entry::new("weight_norm").with_value(linear(5)), vec![7]),
        (Entry::new("spectral_norm").with_value(linear(5)), vec![7]),
        (entry("group_norm", 2), vec![4, 2, 2]),
        (Entry::new("instance_norm").with_option("affine", true), vec![4, 2, 2]),
        (Entry::new("rms_norm"), vec![9]),
        (entry("squeeze_excite", 2), vec![8, 3, 3]),
        (entry("embedding_bag", 10).with_option("size", 4usize), vec![6]),
        (Entry::new("category_embedding").with_value(vec![5usize, 3]), vec![6]),
        (Entry::new("prelu"), vec![9]),
        (Entry::new("normalization"), vec![9]),
        (Entry::new("einsum_dense").with_value("bti,io->bto").with_option("sizes", vec![5usize]), vec![3, 7]),
        (Entry::new("additive_attention"), vec![5, 9]),
        (entry("conv_lstm1d", 2).with_option("kernel", 3usize), vec![3, 4, 8]),
        (entry("conv_lstm2d", 2).with_option("kernel", 3usize), vec![3, 2, 4, 4]),
        (entry("conv_lstm3d", 2).with_option("kernel", 2usize), vec![3, 2, 3, 3, 3]),
        (entry("attention", 2).with_option("bias_kv", true), vec![5, 16]),
        (Entry::new("masking").with_value(vec![entry("gru", 3)]), vec![5, 4]),
        (Entry::new("positional_embedding"), vec![6, 4]),
        (entry("attention", 2), vec![5, 16]),
        (entry("transformer_block", 2).with_option("bias", false), vec![5, 16]),
        (entry("transformer_block", 2).with_option("hidden", 3usize), vec![5, 16]),
        (entry("attention", 4).with_option("kv_heads", 1usize).with_option("bias", false), vec![5, 16]),
        (entry("transformer_encoder_layer", 2).with_option("hidden", 3usize), vec![5, 16]),
        (
            entry("transformer_encoder", 2)
                .with_option("heads", 2usize)
                .with_option("bias", false)
                .with_option("gated", true)
                .with_option("kv_heads", 1usize)
                .with_option("final_norm", true),
            vec![5, 4],
        ),
        (
            entry("mixture_of_experts", 3).with_option("hidden", 4usize).with_option("top", 2usize),
            vec![5, 16],
        ),
        (entry("feed_forward", 2).with_option("gated", true).with_option("bias", false), vec![9]),
        (Entry::new("residual").with_value(vec![linear(7), Entry::new("layer_norm"), linear(7)]), vec![7]),
    ]
}

#[test]
fn no_layer_with_weights_is_built_beyond_its_budget() {
    let mut seen = std::collections::BTreeSet::new();
    for (entry, input) in weighty() {
        seen.insert(entry.name.clone());
        // Alone, and a hundred times in ten blocks: the budget is one.
        let alone = ModelSpec::new(input.clone(), [entry.clone()]);
        let model = alone.build().unwrap();
        let elements: usize = model.state_dict().iter().map(|(_, t)| t.len()).sum();
        assert!(elements > 0, "{entry} has no weights");
        assert!(alone.build_within(elements).is_ok(), "{entry} fits {elements} elements");
        let e = alone.build_within(elements / 3).err().unwrap_or_else(|| panic!("{entry} was built"));
        assert!(e.message().contains("more than the model may hold"), "{e}");
        if alone.shapes().unwrap()[0] == input {
            let nested = Entry::new("residual").with_value(vec![entry.clone(); 10]);
            let spec = ModelSpec::new(input, vec![nested; 10]);
            assert!(spec.build_within(100 * elements).is_ok(), "{entry}");
            let e = spec.build_within(40 * elements).err().unwrap();
            assert!(e.message().contains("more than the model may hold"), "{e}");
        }
    }
    // Every other layer of the list has nothing to store.
    for kind in LAYERS.iter().filter(|kind| !seen.contains(kind.name)) {
        for value in [
            Entry::new(kind.name),
            Entry::new(kind.name).with_value(2usize),
            Entry::new(kind.name).with_value(0.5),
        ] {
            if let Ok(model) = ModelSpec::new([2, 4, 4], [value]).build() {
                assert_eq!(model.state_dict().len(), 0, "{} belongs into this test", kind.name);
            }
        }
    }
}

#[test]
fn a_spec_that_asks_for_hours_of_work_is_refused() {
    let e = budget::within(0, || budget::pass("relu", &[1 << 31]).and(budget::pass("relu", &[1])));
    assert!(e.unwrap_err().message().contains("more work than a model of a file may ask for"));
    let steps = ModelSpec::new([1 << 26, 1], [Entry::new("attention").with_value(1usize)]);
    let e = steps.build_within(100).err().unwrap();
    assert!(e.message().contains("more work"), "{e}");
    let layers = Entry::new("lstm").with_value(1usize).with_option("layers", usize::MAX / 2);
    assert!(error(&[2, 1], [layers]).contains("more than 65536 layers"));
}

#[test]
fn ids_go_through_an_embedding() {
    let embed = Entry::new("embedding").with_value(10_usize).with_option("size", 4_usize);
    let spec = ModelSpec::new([6], [embed, linear(3), Entry::new("flatten"), linear(2)]);
    assert_eq!(spec.shapes().unwrap(), [vec![6, 4], vec![6, 3], vec![18], vec![2]]);
    assert_eq!(spec.input_dtype().unwrap(), DType::I64);
}

#[test]
fn lists_nest_so_far_and_hold_so_many_layers() {
    let deep = |levels: usize, wrap: fn(Entry) -> Entry| (0..levels).fold(Entry::new("relu"), |e, _| wrap(e));
    let branches: fn(Entry) -> Entry = |e| Entry::new("parallel").with_value(vec![vec![e]]);
    let spec = ModelSpec::new([4], [deep(16, branches)]);
    assert!(spec.build().is_ok());
    // What can be built can be written and read back.
    let written = spec.rendered().unwrap().to_json().to_string();
    assert!(ModelSpec::from_json(&Json::parse(&written).unwrap()).unwrap().build().is_ok());
    let wraps: [fn(Entry) -> Entry; 4] = [
        branches,
        |e| Entry::new("residual").with_value(vec![e]),
        |e| Entry::new("sequential").with_value(vec![e]),
        |e| Entry::new("repeat").with_value(1_usize).with_option("layers", vec![e]),
    ];
    for wrap in wraps {
        let e = error(&[4], [deep(17, wrap)]);
        assert!(e.contains("lists of layers nest deeper than 16"), "{e}");
    }
    let many = |n: usize, e: Entry| Entry::new("repeat").with_value(n).with_option("layers", vec![e]);
    assert!(error(&[4], [many(usize::MAX >> 1, Entry::new("relu"))]).contains("more than 65536 layers"));
    let product = many(1000, many(1000, Entry::new("relu")));
    assert!(
        ModelSpec::new([4], [product]).outline().err().unwrap().message().contains("more than 65536 layers")
    );
    // Whatever option asks for a stack: no word of a file is hours of work.
    for kind in crate::layers::LAYERS {
        for (option, _) in kind.options.iter().filter(|(option, _)| !option.is_empty()) {
            for input in [&[4][..], &[7, 2], &[2, 8, 8]] {
                let entry = kind.sample().with_option(*option, 1_000_000_usize);
                _ = ModelSpec::new(input.to_vec(), [entry]).outline();
            }
        }
    }
    let stacks = ["lstm", "gru"]
        .map(|name| Entry::new(name).with_value(1_usize).with_option("layers", 1_000_000_usize));
    stacks.into_iter().for_each(|e| assert!(error(&[7, 2], [e]).contains("more than 65536 layers")));
    // The next model begins anew.
    assert!(ModelSpec::new([4], [many(1000, Entry::new("relu"))]).build().is_ok());
    // The budget of weights holds for every copy.
    let stack = ModelSpec::new([4], [many(10, linear(4))]);
    assert!(stack.build_within(10 * 20).is_ok());
    assert!(
        stack.build_within(10 * 20 - 1).err().unwrap().message().contains("more than the model may hold")
    );
}

#[test]
fn residual_blocks_nest_and_render() {
    let body = vec![linear(4), Entry::new("tanh")];
    let spec = ModelSpec::new([4], [Entry::new("residual").with_value(body)]);
    assert_eq!(
        spec.rendered().unwrap().layers[0].to_string(),
        "{ residual = [{ linear = 4, bias = true }, \"tanh\"] }"
    );
    let wrong = Entry::new("residual").with_value(vec![linear(3)]);
    assert!(self::error(&[4], [wrong]).contains("the body gives [3] and the way around it [4]"));
}
