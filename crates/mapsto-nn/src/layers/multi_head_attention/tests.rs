//! Tests of `multi_head_attention`.

use crate::check_layer::check_layer;
use crate::prelude::*;

#[test]
fn multi_head_attention() {
    check_layer(|| MultiHeadAttention::new(6, 2)).gives([2, 4, 6], [2, 4, 6]);
    check_layer(|| MultiHeadAttention::new(6, 3).causal().no_bias()).gives([2, 4, 6], [2, 4, 6]);
    check_layer(|| MultiHeadAttention::new(4, 1).causal().dropout(0.1)).gives([1, 3, 4], [1, 3, 4]);
    check_layer(|| MultiHeadAttention::new(8, 4).kv_heads(2).dropout(0.1)).gives([1, 3, 8], [1, 3, 8]);
    check_layer(|| MultiHeadAttention::new(8, 4).kv_heads(1).no_bias().alibi()).gives([2, 3, 8], [2, 3, 8]);
    let turned = || MultiHeadAttention::new(8, 2).rotary(RotaryEmbedding::new().fraction(0.5)).qk_norm();
    check_layer(turned).gives([2, 3, 8], [2, 3, 8]);
    check_layer(|| MultiHeadAttention::new(4, 2).window(2).causal()).gives([2, 4, 4], [2, 4, 4]);
    let biased = || MultiHeadAttention::new(4, 2).relative(RelativePositionBias::new(2).buckets(4, 3));
    check_layer(move || biased().alibi()).gives([1, 7, 4], [1, 7, 4]);
    check_layer(|| MultiHeadAttention::new(4, 2).add_bias_kv().add_zero_attn().causal())
        .gives([2, 3, 4], [2, 3, 4]);
    check_layer(|| MultiHeadAttention::new(8, 4).add_bias_kv().kv_heads(2).alibi())
        .gives([1, 3, 8], [1, 3, 8]);
    let error = catch(|| MultiHeadAttention::new(10, 3)).unwrap_err().to_string();
    assert_eq!(
        error,
        "attention: 10 numbers cannot be cut into 3 heads\nhelp: the size must be a multiple of the heads"
    );
    let e = catch(|| MultiHeadAttention::new(8, 4).kv_heads(3)).unwrap_err();
    assert_eq!(e.message(), "attention: 4 heads cannot share 3 heads of keys and values");
    let e = catch(|| MultiHeadAttention::new(6, 2).rotary(RotaryEmbedding::new())).unwrap_err();
    assert_eq!(e.message(), "attention: what is turned of heads of 3 features is no pairs");
    let e = catch(|| MultiHeadAttention::new(4, 2).relative(RelativePositionBias::new(3))).unwrap_err();
    assert_eq!(e.message(), "attention: a bias of 3 heads does not fit 2 heads");
    let e =
        catch(|| MultiHeadAttention::new(4, 2).step(&Tensor::ones([1, 1, 4]), &mut AttentionCache::new()));
    assert_eq!(e.unwrap_err().message(), "attention: the steps before would see the new ones");
    let e = catch(|| MultiHeadAttention::new(4, 2).forward(&Tensor::ones([3, 4]))).unwrap_err();
    assert_eq!(e.message(), "attention: steps [b, t, size] were expected, found [3, 4]");
}

#[test]
fn keys_that_are_seen_besides_are_seen_through_every_mask_and_cache() {
    let layer = MultiHeadAttention::new(8, 2).add_bias_kv().add_zero_attn();
    let x = Tensor::randn([2, 4, 8]);
    for seen in
        [Seen::all(), Seen::all().causal(), Seen::all().keys(&tensor![[true, false, true, true], [false; 4]])]
    {
        let weights = layer.weights(&x, &x, seen.clone());
        assert_eq!(weights.shape(), [2, 2, 4, 6]);
        assert_close!(weights.sum(-1), Tensor::ones([2, 2, 4]));
        assert!(weights.slice(3, 4..).min(..).item() > 0.0);
        // Weights and values, by hand.
        let [_, _, v] = layer.of_itself(&x, 0);
        let bias = layer.bias_v.as_ref().unwrap().reshape([1, 2, 1, 4]).expand([2, 2, 1, 4]);
        let values = Tensor::cat(&[v, bias, Tensor::zeros([2, 2, 1, 4])], 2);
        let y = weights.matmul(&values).swap(1, 2).reshape([2, 4, 8]).apply(&layer.out);
        assert_close!(layer.among(&x, seen), y);
    }
    let layer = layer.causal();
    let (y, mut cache) = (layer.forward(&x), AttentionCache::new());
    assert_close!(layer.step(&x.slice(1, ..3), &mut cache), y.slice(1, ..3));
    assert_close!(layer.step(&x.slice(1, 3..), &mut cache), y.slice(1, 3..));
}

#[test]
fn dropout_forgets_weights_in_training_alone() {
    let layer = MultiHeadAttention::new(8, 2).dropout(0.5);
    let x = Tensor::randn([2, 6, 8]);
    let y = layer.forward(&x).to_vec::<f32>();
    assert_ne!(train(|| layer.forward(&x)).to_vec::<f32>(), y);
    assert_close!(train(|| layer.clone().dropout(0.0).forward(&x)), layer.forward(&x));
}
