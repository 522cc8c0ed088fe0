//! GPT: a language model that reads a text and says, at every place, which token comes next.

use crate::Sampling;
use mapsto_nn::init::Normal;
use mapsto_nn::prelude::*;
use mapsto_tensor::memory::room_for;

/// A decoder-only transformer as GPT-2 is: learned positions, pre-norm [`TransformerBlock`]s that look back only, a last
/// norm, and the table of the tokens once more as the head that scores them.
///
/// * Shape: ids `[b, t] → [b, t, vocabulary]`, scores before any softmax; `t` is at most the context.
/// * Parameters: matrices and tables normal with standard deviation 0.02, those that write into the residual stream
///   (`attention.out`, `down`) with `0.02 / √(2 · blocks)`; scales 1, shifts 0.
///
/// Options that change a shape draw the weights anew.
///
/// Source: Radford et al. (2019), Language models are unsupervised multitask learners, §2.3; the tied head is Press &
/// Wolf's (2017), arXiv:1608.05859.
/// ```
/// use mapsto_models::Gpt;
/// use mapsto_nn::prelude::*;
/// let model = Gpt::new(65, 256).blocks(2).width(32).heads(4).no_bias();
/// assert_eq!(model.forward(&tensor![[1, 2, 3]]).shape(), [1, 3, 65]);
/// assert_eq!(model.parameter_count(), (65 + 256) * 32 + 2 * (12 * 32 * 32 + 2 * 32) + 32);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = mapsto_nn)]
pub struct Gpt {
    /// A vector for each token, and the head.
    pub token: Embedding,
    /// A vector for each place.
    pub position: PositionalEmbedding,
    /// The blocks, one after the other.
    pub blocks: Vec<TransformerBlock>,
    /// Before the head.
    pub norm: LayerNorm,
    heads: usize,
    bias: bool,
    dropout: f64,
}

impl Gpt {
    /// A model of `vocabulary` tokens that looks back over at most `context` of them: 6 blocks of 6 heads, width 384.
    pub fn new(vocabulary: usize, context: usize) -> Gpt {
        let width = 1;
        Gpt {
            token: Embedding::new(vocabulary, width),
            position: PositionalEmbedding::new(context, width),
            blocks: (0..6).map(|_| TransformerBlock::new(width, 1)).collect(),
            norm: LayerNorm::new(width),
            heads: 1,
            bias: true,
            dropout: 0.0,
        }
        .width(384)
    }

    /// The same with this many blocks.
    pub fn blocks(self, count: usize) -> Gpt {
        let (width, heads) = (self.norm.size(), self.heads);
        self.rebuilt(count, width, heads)
    }

    /// The same with vectors of `size` for each token, cut into heads of 64, or into one where that does not fit.
    pub fn width(self, size: usize) -> Gpt {
        let (count, heads) = (self.blocks.len(), if size.is_multiple_of(64) { size / 64 } else { 1 });
        self.rebuilt(count, size, heads)
    }

    /// The same with this many heads in each block; call `width` first.
    ///
    /// # Panics
    /// When the width is not a multiple of it.
    #[track_caller]
    pub fn heads(self, heads: usize) -> Gpt {
        let (count, width) = (self.blocks.len(), self.norm.size());
        self.rebuilt(count, width, heads)
    }

    /// The same, forgetting weights of the attention and what is added to the residual stream with probability `p` in
    /// training.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    pub fn dropout(self, p: f64) -> Gpt {
        let blocks = self.blocks.into_iter().map(|block| block.dropout(p)).collect();
        Gpt { blocks, dropout: p, ..self }
    }

    /// The same without biases, in the norms too.
    pub fn no_bias(self) -> Gpt {
        let blocks = self.blocks.into_iter().map(TransformerBlock::no_bias).collect();
        Gpt { blocks, norm: self.norm.no_bias(), bias: false, ..self }
    }

    #[track_caller]
    fn rebuilt(self, count: usize, width: usize, heads: usize) -> Gpt {
        let Gpt { bias, dropout, .. } = self;
        let ([vocabulary, _], [context, _]) = (self.token.weight.dims(), self.position.weight.dims());
        let (plain, residual) = (Normal::new(0.02), Normal::new(0.02 / (2.0 * count as f64).sqrt()));
        let norm = LayerNorm::new(width);
        let block = || {
            let mut block = TransformerBlock::new(width, heads).causal().dropout(dropout);
            block.attention.qkv = Linear::new(width, width.saturating_mul(3)).init(plain);
            block.attention.out = Linear::new(width, width).init(residual);
            block.up = block.up.init(plain);
            block.down = block.down.init(residual);
            if bias { block } else { block.no_bias() }
        };
        let mut blocks = room_for(count);
        blocks.extend((0..count).map(|_| block()));
        Gpt {
            token: Embedding::new(vocabulary, width).init(plain),
            position: PositionalEmbedding::new(context, width),
            blocks,
            norm: if bias { norm } else { norm.no_bias() },
            heads,
            bias,
            dropout,
        }
    }

    /// The next `count` tokens after `prompt`, one by one, each drawn as `sampling` says from the scores that the model
    /// gives it. Where the text outgrows the context, its end is what counts.
    ///
    /// ```
    /// use mapsto_models::{Gpt, Sampling};
    /// use mapsto_nn::prelude::*;
    /// seed(1);
    /// let model = Gpt::new(10, 8).blocks(1).width(16);
    /// let sampling = Sampling::new().temperature(0.8).top_k(5);
    /// let text = model.generate(&[3, 1, 4], 20, &sampling);
    /// assert!(text.len() == 20 && text.iter().all(|id| (0..10).contains(id)));
    /// seed(1);
    /// let again = Gpt::new(10, 8).blocks(1).width(16).generate(&[3, 1, 4], 20, &sampling);
    /// assert_eq!(text, again);
    /// ```
    /// # Panics
    /// When the prompt is empty or holds an id beyond the vocabulary.
    #[track_caller]
    pub fn generate(&self, prompt: &[i64], count: usize, sampling: &Sampling) -> Vec<i64> {
        if prompt.is_empty() {
            mapsto_tensor::fail!("generate", "the prompt is empty"; help = "begin with one token, such as a line break");
        }
        let context = self.position.weight.shape()[0];
        let mut text = prompt.to_vec();
        for _ in 0..count {
            let seen = &text[text.len().saturating_sub(context)..];
            let ids = Tensor::from_slice(seen, [1, seen.len()]);
            let last = no_grad(|| self.states(&ids).select(1, -1).linear(&self.token.weight, None)); // [1, vocabulary]
            text.push(sampling.draw(&last.flatten(0)));
        }
        text.split_off(prompt.len())
    }

    /// What the blocks make of the tokens: `[b, t] → [b, t, width]`.
    #[track_caller]
    fn states(&self, ids: &Tensor) -> Tensor {
        let x = ids.apply(&self.token).apply(&self.position).dropout(self.dropout);
        x.apply(&self.blocks).apply(&self.norm)
    }
}

impl Layer for Gpt {
    #[track_caller]
    fn forward(&self, ids: &Tensor) -> Tensor {
        self.states(ids).linear(&self.token.weight, None)
    }

    fn describe(&self) -> String {
        let ([vocabulary, width], [context, _]) = (self.token.weight.dims(), self.position.weight.dims());
        let (blocks, heads) = (self.blocks.len(), self.heads);
        format!(
            "Gpt({vocabulary} tokens, context {context}, {blocks} blocks of {heads} heads, width {width})"
        )
    }

    fn input_dtype(&self) -> DType {
        DType::I64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_nn::check_layer;

    #[test]
    fn gpt() {
        check_layer(|| Gpt::new(3, 4).blocks(2).width(4).heads(2)).gives([2, 3], [2, 3, 3]);
        check_layer(|| Gpt::new(3, 4).blocks(1).width(4).no_bias().dropout(0.1)).gives([1, 4], [1, 4, 3]);
    }

    #[test]
    fn the_first_weights_are_gpt2s() {
        seed(5);
        let model = Gpt::new(100, 64).blocks(8).width(64);
        let std = |w: &Tensor| w.square().mean(..).sqrt().item();
        let block = &model.blocks[3];
        for w in [&model.token.weight, &model.position.weight, &block.attention.qkv.weight, &block.up.weight]
        {
            assert!((std(w) - 0.02).abs() < 1e-3, "{}", std(w));
        }
        for w in [&block.attention.out.weight, &block.down.weight] {
            assert!((std(w) - 0.005).abs() < 3e-4, "{}", std(w));
        }
        // All tokens are about equally likely at first.
        let loss = cross_entropy(&model.forward(&tensor![[1, 2, 3]]), &tensor![[2, 3, 4]]).item();
        assert!((loss - 100f64.ln()).abs() < 0.2, "{loss}");
    }

    #[test]
    fn it_learns_a_text_by_heart_and_goes_on_with_it() {
        seed(2);
        let mut model = Gpt::new(5, 8).blocks(1).width(16).heads(2);
        let text: Vec<i64> = (0..9).map(|i| [0, 3, 1, 4, 2][i * i % 5]).collect();
        let (x, y) = (Tensor::from_slice(&text[..8], [1, 8]), Tensor::from_slice(&text[1..], [1, 8]));
        let mut opt = AdamW::new(0.01);
        for _ in 0..60 {
            let loss = train(|| cross_entropy(&model.forward(&x), &y));
            opt.step(&mut model, loss.backward());
        }
        let greedy = Sampling::new().greedy();
        assert_eq!(model.generate(&text[..3], 6, &greedy), text[3..]);
        let error = catch(|| model.generate(&[], 1, &greedy)).unwrap_err();
        assert_eq!(error.message(), "generate: the prompt is empty");
    }
}

#[test]
fn more_layers_than_memory_holds_are_an_error() {
    let refused = |build: &dyn Fn()| catch(build).unwrap_err().to_string().contains("the system has less");
    assert!(refused(&|| drop(Gru::new(3, 3).layers(1 << 45))));
    assert!(refused(&|| drop(Lstm::new(3, 3).layers(1 << 45))));
    assert!(refused(&|| drop(Gpt::new(5, 8).blocks(1 << 40))));
}
