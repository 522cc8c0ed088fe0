//! The functions against PyTorch's samples, `golden/samples.jsonl`: results and derivatives of both orders.
#![cfg(test)]

use crate::*;
use mapsto_spec::Json;
use mapsto_tensor::check::assert_tensors_close;
use mapsto_tensor::prelude::*;
use mapsto_tensor::{grad_with, record};

fn tensors(line: &Json, key: &str) -> Option<Vec<Tensor>> {
    let of = |pair: &Json| {
        let list = |i| {
            pair.index(i).and_then(Json::list).expect("a list").iter().map(|v| v.number().expect("a number"))
        };
        let shape: Vec<usize> = list(0).map(|n| n as usize).collect();
        Tensor::from_vec(list(1).collect::<Vec<f64>>(), &shape[..])
    };
    Some(line.get(key)?.list()?.iter().map(of).collect())
}

fn norm(options: &Json, key: &str) -> MatrixNorm {
    let text = options.get(key).map(|v| v.str().map_or_else(|| v.to_string(), str::to_string));
    match text.as_deref() {
        None | Some("fro") => MatrixNorm::Frobenius,
        Some("nuc") => MatrixNorm::Nuclear,
        Some("inf") => MatrixNorm::Inf,
        Some("-inf") => MatrixNorm::MinusInf,
        Some("1" | "1.0") => MatrixNorm::One,
        Some("-1" | "-1.0") => MatrixNorm::MinusOne,
        Some("2" | "2.0") => MatrixNorm::Two,
        Some("-2" | "-2.0") => MatrixNorm::MinusTwo,
        Some(other) => panic!("a norm {other}"),
    }
}

fn call(line: &Json, x: &[Tensor]) -> Result<Vec<Tensor>> {
    let options = line.get("options").expect("options");
    let int = |key: &str| options.get(key).and_then(Json::int);
    let is = |key: &str, usual: bool| options.get(key).map_or(usual, |v| v.bool().expect("a bool"));
    let symmetric = || (&x[0] + x[0].t()) * 0.5;
    let one = match line.get("op").and_then(Json::str).expect("a name") {
        "inv" => inverse(&x[0])?,
        "solve" if is("left", true) => solve(&x[0], &x[1])?,
        "solve" => solve(&x[0].t(), &x[1].t())?.t(),
        "solve_triangular" => {
            let triangle = match (is("upper", true) == is("left", true), is("unitriangular", false)) {
                (true, false) => Triangle::Upper,
                (true, true) => Triangle::UnitUpper,
                (false, false) => Triangle::Lower,
                (false, true) => Triangle::UnitLower,
            };
            match is("left", true) {
                true => solve_triangular(&x[0], &x[1], triangle)?,
                false => solve_triangular(&x[0].t(), &x[1].t(), triangle)?.t(),
            }
        }
        "det" => det(&x[0]),
        "slogdet" => slogdet(&x[0]).1,
        "cholesky" => cholesky(&symmetric())?,
        "cholesky_solve" => cholesky_solve(&x[0], &x[1])?,
        "qr" => return qr(&x[0]).map(|(q, r)| vec![q, r]),
        "lu" => return lu(&x[0]).map(|(_, l, u)| vec![l, u]),
        "eig" => return eig(&x[0]).map(|(w, v)| vec![w, v]),
        "eigvals" => eigvals(&x[0])?,
        "eigh" => return eigh(&symmetric()).map(|(w, v)| vec![w, v]),
        "eigvalsh" => eigvalsh(&symmetric())?,
        "svd" => return svd(&x[0]).map(|(u, s, vt)| vec![u, s, vt]),
        "svdvals" => svdvals(&x[0])?,
        "pinv" => pinv(&x[0])?,
        "lstsq" => lstsq(&x[0], &x[1])?,
        "cholesky_inverse" => cholesky_inverse(&x[0])?,
        "householder_product" => householder_product(&x[0], &x[1]),
        "tensorinv" => tensorinv(&x[0], int("ind").unwrap_or(2) as usize)?,
        "tensorsolve" => tensorsolve(&x[0], &x[1])?,
        "matrix_rank" => matrix_rank(&x[0])?.to(DType::F64),
        "matrix_power" => matrix_power(&x[0], int("n").expect("n"))?,
        "matrix_exp" => matrix_exp(&x[0]),
        "matrix_norm" => matrix_norm(&x[0], norm(options, "ord"))?,
        "cond" => cond(&x[0])?,
        "multi_dot" => multi_dot(x),
        "vander" => vander(&x[0], int("N").map_or(x[0].shape()[x[0].rank() - 1], |n| n as usize)),
        "cross" => cross(&x[0], &x[1], int("dim").unwrap_or(-1) as isize),
        other => panic!("{other}"),
    };
    Ok(vec![one])
}

/// The gradients of `Σ t · wave`, as in `golden/samples.py`; zeros of what depends on nothing.
fn gradients(ts: &[Tensor], xs: &[Tensor]) -> Vec<Tensor> {
    let wave = |y: &Tensor| {
        Tensor::from_vec((0..y.len()).map(|k| (0.37 * k as f64 + 1.0).cos()).collect(), y.shape())
    };
    let recorded = ts.iter().filter(|t| t.is_recorded());
    let sum = record(|| recorded.map(|t| (t * wave(t)).sum(..)).reduce(|a, b| a + b));
    let refs: Vec<&Tensor> = xs.iter().collect();
    sum.map_or_else(
        || xs.iter().map(Tensor::zeros_like).collect(),
        |sum| grad_with(&sum, &Tensor::ones_like(&sum), &refs),
    )
}

#[test]
fn functions_and_their_derivatives_are_those_of_pytorch() {
    let (mut lines, mut first, mut second, mut wrong) = (0, 0, 0, Vec::new());
    for text in include_str!("../golden/samples.jsonl").lines() {
        let line = Json::parse(text).expect("a line of JSON");
        let what = &text[..text.len().min(120)];
        let compared = catch(|| {
            let xs: Vec<Tensor> = tensors(&line, "x").expect("inputs").iter().map(Tensor::leaf).collect();
            let ys = call(&line, &xs).unwrap_or_else(|e| panic!("{e}"));
            let close = |found: &[Tensor], wanted: &[Tensor], key: &str| {
                assert_eq!(found.len(), wanted.len());
                for (found, wanted) in found.iter().zip(wanted) {
                    let most = if wanted.is_empty() { 1.0 } else { wanted.abs().max(..).item().max(1.0) };
                    assert_tensors_close(found, wanted, 1e-8 * most, 1e-8, key);
                }
            };
            close(&ys, &tensors(&line, "y").expect("results"), "y");
            lines += 1;
            let Some(wanted) = tensors(&line, "g") else { return };
            let g = gradients(&ys, &xs);
            close(&g, &wanted, "g");
            first += 1;
            let Some(wanted) = tensors(&line, "h") else { return };
            close(&gradients(&g, &xs), &wanted, "h");
            second += 1;
        });
        if let Err(e) = compared {
            wrong.push(format!("{what}: {e}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {lines}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        lines >= 130 && first >= 80 && second >= 75,
        "{lines} results, {first} gradients, {second} second derivatives"
    );
}
