//! The heavy kernels, compiled in this crate once for f32 and once for f64: a generic function would be compiled again,
//! for every family of instructions, by each crate that calls it.

use crate::attention::{AttentionShape, Heads, Hidden, backward, forward};
use crate::conv::fastest::Way;
use crate::conv::{ConvShape, Ending, Packed, exact, fastest};
use crate::gemm::tile::Finish;
use crate::gemm::{self, Mat};
use crate::rnn::{self, Gru, GruGrads, GruKept, Lstm, LstmGrads, LstmKept};

/// What [`crate::gemm::Gemm`] numbers can do, each as the public function of that name describes.
pub trait Routines: Sized {
    fn product(a: Mat<Self>, b: Mat<Self>, c: &mut [Self], finish: Finish<Self>);
    fn conv2d(
        s: &ConvShape,
        x: &[Self],
        w: &[Self],
        packed: &Packed<Self>,
        ending: &Ending<Self>,
        y: &mut [Self],
    );
    fn way(s: &ConvShape) -> Way;
    fn pack(s: &ConvShape, w: &[Self]) -> Packed<Self>;
    fn conv2d_data(s: &ConvShape, g: &[Self], w: &[Self], dx: &mut [Self]);
    fn conv2d_weight(s: &ConvShape, x: &[Self], g: &[Self], dw: &mut [Self]);
    fn lstm(lstm: &Lstm<Self>, gates: &mut [Self], cells: &mut [Self], y: &mut [Self]);
    fn lstm_backward(lstm: &Lstm<Self>, kept: LstmKept<Self>, dy: &[Self], grads: LstmGrads<Self>);
    fn gru(gru: &Gru<Self>, gates: &mut [Self], u: &mut [Self], y: &mut [Self]);
    fn gru_backward(gru: &Gru<Self>, kept: GruKept<Self>, dy: &[Self], grads: GruGrads<Self>);
    fn attention(
        s: &AttentionShape,
        scale: f64,
        q: Heads<Self>,
        k: Heads<Self>,
        v: Heads<Self>,
        hidden: Hidden<Self>,
        y: &mut [Self],
        log: &mut [Self],
    );
    fn attention_backward(
        s: &AttentionShape,
        scale: f64,
        qkv: [Heads<Self>; 3],
        hidden: Hidden<Self>,
        y: &[Self],
        log: &[Self],
        g: Heads<Self>,
        dqkv: &mut [Self],
    );
}

macro_rules! routines {
    ($t:ty, $ways:ident) => {
        impl Routines for $t {
            #[inline(never)]
            fn product(a: Mat<$t>, b: Mat<$t>, c: &mut [$t], finish: Finish<$t>) {
                gemm::product(a, b, c, finish)
            }
            #[inline(never)]
            fn conv2d(
                s: &ConvShape,
                x: &[$t],
                w: &[$t],
                packed: &Packed<$t>,
                ending: &Ending<$t>,
                y: &mut [$t],
            ) {
                $ways::forward(s, x, w, packed, ending, y)
            }
            fn way(s: &ConvShape) -> Way {
                $ways::way(s)
            }
            #[inline(never)]
            fn pack(s: &ConvShape, w: &[$t]) -> Packed<$t> {
                $ways::pack(s, w)
            }
            #[inline(never)]
            fn conv2d_data(s: &ConvShape, g: &[$t], w: &[$t], dx: &mut [$t]) {
                $ways::data(s, g, w, dx)
            }
            #[inline(never)]
            fn conv2d_weight(s: &ConvShape, x: &[$t], g: &[$t], dw: &mut [$t]) {
                $ways::weights(s, x, g, dw)
            }
            #[inline(never)]
            fn lstm(lstm: &Lstm<$t>, gates: &mut [$t], cells: &mut [$t], y: &mut [$t]) {
                rnn::lstm_forward(lstm, gates, cells, y)
            }
            #[inline(never)]
            fn lstm_backward(lstm: &Lstm<$t>, kept: LstmKept<$t>, dy: &[$t], grads: LstmGrads<$t>) {
                rnn::lstm_backward(lstm, kept, dy, grads)
            }
            #[inline(never)]
            fn gru(gru: &Gru<$t>, gates: &mut [$t], u: &mut [$t], y: &mut [$t]) {
                rnn::gru_forward(gru, gates, u, y)
            }
            #[inline(never)]
            fn gru_backward(gru: &Gru<$t>, kept: GruKept<$t>, dy: &[$t], grads: GruGrads<$t>) {
                rnn::gru_backward(gru, kept, dy, grads)
            }
            #[inline(never)]
            fn attention(
                s: &AttentionShape,
                scale: f64,
                q: Heads<$t>,
                k: Heads<$t>,
                v: Heads<$t>,
                hidden: Hidden<$t>,
                y: &mut [$t],
                log: &mut [$t],
            ) {
                forward::forward(s, scale, q, k, v, hidden, y, log)
            }
            #[inline(never)]
            fn attention_backward(
                s: &AttentionShape,
                scale: f64,
                qkv: [Heads<$t>; 3],
                hidden: Hidden<$t>,
                y: &[$t],
                log: &[$t],
                g: Heads<$t>,
                dqkv: &mut [$t],
            ) {
                backward::backward(s, scale, qkv, hidden, y, log, g, dqkv)
            }
        }
    };
}
// Only f32 has the ways that trade digits for speed.
routines!(f32, fastest);
routines!(f64, exact);
