//! Weighted least squares with a penalty on squares, by the normal equations in f64.

/// `b` with the least `Σ w (y − x·b)² + penalty · |b|²`, rows `x` one after the other; none where several `b` are as good.
pub(crate) fn weighted(x: &[Vec<f64>], y: &[f64], w: &[f64], penalty: f64) -> Option<Vec<f64>> {
    let d = x.first()?.len();
    let mut a = vec![0.0; d * d];
    let mut b = vec![0.0; d];
    for ((row, y), w) in x.iter().zip(y).zip(w) {
        for j in 0..d {
            let scaled = w * row[j];
            if scaled != 0.0 {
                (0..=j).for_each(|k| a[j * d + k] += scaled * row[k]);
                b[j] += scaled * y;
            }
        }
    }
    (0..d).for_each(|j| a[j * d + j] += penalty);
    solved(a, b)
}

/// The solution of `a x = b` for a symmetric positive definite `a`, of which the lower triangle is read, by Cholesky's decomposition.
fn solved(mut a: Vec<f64>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let d = b.len();
    for j in 0..d {
        let own = a[j * d + j];
        for i in j..d {
            let dot: f64 = (0..j).map(|k| a[i * d + k] * a[j * d + k]).sum();
            a[i * d + j] -= dot;
        }
        // What rounding leaves of a column that depends on those before it.
        if a[j * d + j].is_nan() || a[j * d + j] <= 1e-11 * own {
            return None;
        }
        let root = a[j * d + j].sqrt();
        (j..d).for_each(|i| a[i * d + j] /= root);
    }
    for j in 0..d {
        let dot: f64 = (0..j).map(|k| a[j * d + k] * b[k]).sum();
        b[j] = (b[j] - dot) / a[j * d + j];
    }
    for j in (0..d).rev() {
        let dot: f64 = (j + 1..d).map(|k| a[k * d + j] * b[k]).sum();
        b[j] = (b[j] - dot) / a[j * d + j];
    }
    Some(b)
}

#[test]
fn a_line_is_found_and_what_has_no_answer_is_not() {
    let x: Vec<Vec<f64>> = (0..6).map(|i| vec![1.0, i as f64, (i * i) as f64]).collect();
    let y: Vec<f64> = x.iter().map(|x| 2.0 * x[0] - 3.0 * x[1] + 0.5 * x[2]).collect();
    let b = weighted(&x, &y, &[1.0, 2.0, 3.0, 1.0, 0.5, 1.0], 0.0).unwrap();
    assert!(b.iter().zip([2.0, -3.0, 0.5]).all(|(b, e)| (b - e).abs() < 1e-10), "{b:?}");
    // One number, Σ w x y / (Σ w x² + penalty) = 14 / (14 + 7).
    let one: Vec<Vec<f64>> = [1.0, 2.0, 3.0].map(|x| vec![x]).to_vec();
    let slope = weighted(&one, &[1.0, 2.0, 3.0], &[1.0; 3], 7.0).unwrap()[0];
    assert!((slope - 14.0 / 21.0).abs() < 1e-15);
    let twice: Vec<Vec<f64>> = (0..4).map(|i| vec![i as f64, 2.0 * i as f64]).collect();
    assert_eq!(weighted(&twice, &[1.0; 4], &[1.0; 4], 0.0), None);
}
