//! The harness for a list of kinds of operations, such as a crate of operations of its own has.

use super::{assert_tensors_close, derivatives, far, floats};
use crate::graph::{Attrs, Source, apply, jvp, trace};
use crate::kind::{OpKind, Sample};
use crate::{DType, Device, Tensor, catch, no_grad, ops};
use mapsto_kernels::threads::with_threads;

/// Requires of every kind of a list, over its samples: that it runs in each dtype that it takes and in no other; that its
/// derivatives of both orders, and the one forward, are what differences say; that the device `shape` foresees its result and
/// a device that computes in f64 gives the same; that threads change no bit; and that it can be built again from its
/// attributes, and from no others.
///
/// # Panics
/// When anything is wrong, with what and where.
#[track_caller]
pub fn check_kinds(kinds: &[OpKind]) {
    for (i, kind) in kinds.iter().enumerate() {
        let name = kind.name;
        assert!(kind.doc.len() > 8 && !kind.doc.contains("  "), "{name}: {:?}", kind.doc);
        assert!(
            kinds[..i].iter().all(|k| k.name != name) && ops::kind(name).is_none(),
            "{name} is listed twice"
        );
        for dtype in DType::ALL {
            let samples = kind.samples(dtype, 1);
            assert_eq!(samples.is_empty(), !kind.takes(dtype), "{name} of {dtype}");
            for (i, sample) in samples.iter().enumerate() {
                let what = format!("{name} {i} of {dtype}: {sample:?}");
                let y = catch(|| sample.run()).unwrap_or_else(|e| panic!("{what}: {e}"));
                elsewhere(sample, &y, dtype, &what);
            }
        }
        let samples = kind.samples(DType::F64, 5);
        assert!(samples.len() >= 10, "{name} has {} samples", samples.len());
        for (i, sample) in samples.iter().enumerate() {
            let what = format!("{name} {i}: {sample:?}");
            let y = sample.run();
            if y.dtype().is_float() && !y.is_empty() && y.is_finite() {
                derivatives(&sample.call, &sample.inputs);
                forward(sample, &what);
            }
            rebuilt(kind, sample, &what);
        }
    }
}

/// On other devices, and on other numbers of threads.
fn elsewhere(sample: &Sample, y: &Tensor, dtype: DType, what: &str) {
    let on = |device: Device| {
        let inputs = sample.inputs.iter().map(|x| x.to_device(device)).collect::<Vec<_>>();
        catch(|| device.scope(|| (sample.call)(&inputs)))
            .unwrap_or_else(|e| panic!("on {device:?}, {what}: {e}"))
    };
    let outline = on(Device::shape());
    assert_eq!((outline.shape(), outline.dtype()), (y.shape(), y.dtype()), "{what}");
    if dtype == DType::F64 {
        assert_tensors_close(y, &on(far::device()), 1e-9, 1e-9, &format!("on another device, {what}"));
    }
    for n in [1, 3] {
        let again = with_threads(n, || sample.run());
        assert_tensors_close(&again, y, 0.0, 0.0, &format!("{n} threads, {what}"));
    }
}

/// The derivative forward, of samples of one and of two floats.
fn forward(sample: &Sample, what: &str) {
    let (xs, step) = (&sample.inputs, 1e-6);
    if xs.iter().any(|x| !x.dtype().is_float()) {
        return;
    }
    let dxs: Vec<Tensor> =
        xs.iter().enumerate().map(|(i, x)| floats(-1.0..1.0).draw(x.shape(), 40 + i as u64)).collect();
    let dy = match (&xs[..], &dxs[..]) {
        ([x], [dx]) => jvp(|[x]| (sample.call)(std::slice::from_ref(x)), [x], [dx]).1,
        ([a, b], [da, db]) => jvp(|[a, b]| (sample.call)(&[a.clone(), b.clone()]), [a, b], [da, db]).1,
        _ => return,
    };
    let moved = |by: f64| -> Vec<Tensor> { xs.iter().zip(&dxs).map(|(x, dx)| x + dx * by).collect() };
    let numeric = no_grad(|| ((sample.call)(&moved(step)) - (sample.call)(&moved(-step))) / (2.0 * step));
    assert_tensors_close(&dy, &numeric, 2e-5, 2e-5, &format!("the derivative forward, {what}"));
}

/// The operation is built again from its attributes; without one, with another one and on nothing it is refused by name.
fn rebuilt(kind: &OpKind, sample: &Sample, what: &str) {
    if kind.obstacle().is_some() {
        return;
    }
    let (_, graph) = trace(|| sample.run());
    let step = graph.steps().iter().find(|s| s.op().name() == kind.name);
    let step = step.unwrap_or_else(|| panic!("{what}: a sample does not run the operation"));
    let attrs = step.attrs();
    let input = |i: &usize| match &graph.values()[*i].source {
        Source::Constant(x) => x.clone(),
        _ => None,
    };
    if let Some(inputs) = step.inputs.iter().map(input).collect::<Option<Vec<Tensor>>>() {
        let refs: Vec<&Tensor> = inputs.iter().collect();
        let again = apply(kind.build(attrs.clone()).unwrap_or_else(|e| panic!("{what}: {e}")), &refs);
        assert_tensors_close(
            &again,
            &no_grad(|| step.op().run(&refs).y),
            0.0,
            0.0,
            &format!("built again, {what}"),
        );
        let odd = Tensor::zeros([1, 2, 1, 3, 1, 1]);
        for wrong in [vec![], vec![&odd; refs.len()], vec![refs[0]; 40]] {
            let e = catch(|| apply(kind.build(attrs.clone()).expect("it was built"), &wrong)).err();
            assert!(e.as_ref().is_none_or(|e| e.to_string().contains(kind.name)), "{what}: {e:?}");
            assert!(e.is_some() || wrong.len() == refs.len(), "{what} ran on {} inputs", wrong.len());
        }
    }
    let refused = |attrs: Attrs| kind.build(attrs).err().is_some_and(|e| e.message().starts_with(kind.name));
    assert!(refused(attrs.clone().with("nonsense", 1.0)), "{what} takes any attribute");
    for (left_out, _) in attrs.iter() {
        let fewer = attrs.iter().filter(|(name, _)| *name != left_out);
        let fewer = fewer.fold(Attrs::new(), |all, (name, value)| all.with(name, value.clone()));
        assert!(refused(fewer), "{what} is built without `{left_out}`");
    }
}
