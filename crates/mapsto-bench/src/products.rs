//! `mapsto-bench products`: matrix products and linear layers of all sizes, transpositions, batches and dtypes beside PyTorch,
//! in turn, as `ops` measures operations; a run that was stopped goes on where it was.

use crate::ops::in_turn;
use crate::ops::peer::{Peer, operand};
use crate::ops::table::{Row, Rows, summary, write};
use mapsto::prelude::*;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: mapsto-bench products --python PYTHON [--out DIR] [--sample N | --full] [--with TEXT]..
                             [--threads N] [--secs S]

PYTHON has PyTorch. DIR (target/products) gets results.tsv and table.md; what is in results.tsv already is not measured again.
Measured are N (300) of the shapes and those that stand for a kind, or all with --full; --with takes those whose line holds
each TEXT (`f32`, `batch 16`, `1x4096x4096`, `nt`, `linear`); --secs stops after so many seconds.";

const SIZES: [usize; 9] = [1, 4, 16, 32, 64, 100, 256, 1000, 4096];
const BATCHES: [usize; 3] = [1, 16, 256];
/// The last letter is the right operand's: `t` for a matrix that lies transposed.
const LIES: [&str; 4] = ["nn", "nt", "tn", "tt"];
const DTYPES: [(DType, &str); 6] = [
    (DType::F32, "f32"),
    (DType::F64, "f64"),
    (DType::F16, "f16"),
    (DType::BF16, "bf16"),
    (DType::I64, "i64"),
    (DType::I32, "i32"),
];
/// Shapes `[batch, m, k, n]` that are always measured: thin, vectors, small and odd cubes, large.
const KINDS: [[usize; 4]; 16] = [
    [1, 1_000_000, 4, 4],
    [1, 100_000, 16, 16],
    [1, 16, 100_000, 16],
    [1, 1, 4096, 4096],
    [1, 4096, 4096, 1],
    [1, 1, 256, 1000],
    [256, 32, 32, 32],
    [256, 16, 16, 16],
    [256, 4, 4, 4],
    [1, 4, 4, 4],
    [1, 16, 16, 16],
    [1, 32, 32, 32],
    [1, 100, 100, 100],
    [1, 256, 256, 256],
    [1, 1000, 1000, 1000],
    [16, 64, 1000, 64],
];
/// Widths of linear layers, square and to ten outputs, and their batches.
const WIDTHS: [usize; 6] = [16, 64, 128, 512, 1024, 4096];
const ROWS: [usize; 4] = [1, 8, 32, 128];

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    Product { dtype: usize, lie: usize, sizes: [usize; 4] },
    Linear { dtype: usize, sizes: [usize; 3], backward: bool },
}

impl Cell {
    fn name(&self) -> String {
        match *self {
            Cell::Product { dtype, lie, sizes: [batch, m, k, n] } => {
                format!("{m}x{k}x{n} | {} | {} | batch {batch}", DTYPES[dtype].1, LIES[lie])
            }
            Cell::Linear { dtype, sizes: [rows, inputs, outputs], backward } => {
                let pass = if backward { "forward and backward" } else { "forward" };
                format!("linear {rows}x{inputs}x{outputs} | {} | {pass}", DTYPES[dtype].1)
            }
        }
    }

    /// Whether operands and result fit into memory, and the work into some seconds. (Whole numbers are multiplied by plain
    /// loops there.)
    fn fits(&self) -> bool {
        let Cell::Product { dtype, sizes: [batch, m, k, n], .. } = *self else { return true };
        let elements = batch * (m * k + k * n + m * n);
        let work = batch * m * k * n;
        elements <= 1 << 26 && work <= if DTYPES[dtype].0.is_float() { 1 << 37 } else { 1 << 30 }
    }

    /// Dtype, layout and shape of each operand.
    fn operands(&self) -> Vec<(&'static str, Vec<usize>)> {
        match *self {
            Cell::Product { lie, sizes: [batch, m, k, n], .. } => {
                let shape = |rows, cols| if batch == 1 { vec![rows, cols] } else { vec![batch, rows, cols] };
                let layout = |at: usize| if LIES[lie].as_bytes()[at] == b't' { "transposed" } else { "rows" };
                vec![(layout(0), shape(m, k)), (layout(1), shape(k, n))]
            }
            Cell::Linear { sizes: [rows, inputs, outputs], .. } => {
                vec![("rows", vec![rows, inputs]), ("rows", vec![outputs, inputs]), ("rows", vec![outputs])]
            }
        }
    }

    fn measure(&self, peer: &mut Peer) -> Result<Row, String> {
        let (Cell::Product { dtype, .. } | Cell::Linear { dtype, .. }) = *self;
        let (dtype, name) = DTYPES[dtype];
        let (expression, backward) = match *self {
            Cell::Product { .. } => ("a @ b", false),
            Cell::Linear { backward, .. } => ("F.linear(a, b, c)", backward),
        };
        let told = self.operands().into_iter().map(|(layout, shape)| operand(name, layout, "normal", &shape));
        let shape = match peer.make(expression, backward, told)? {
            Ok(shape) => shape,
            Err(reason) => return Ok(Row::missing(self.name(), reason)),
        };
        let made = |(layout, mut shape): (&str, Vec<usize>)| {
            let last = shape.len() - 1;
            let draw = |shape: Vec<usize>| match dtype.is_float() {
                true => Tensor::randn(shape).to(dtype),
                false => Tensor::randint(shape, 1..6).to(dtype),
            };
            let x = if layout == "rows" {
                draw(shape)
            } else {
                shape.swap(last - 1, last);
                draw(shape).swap(-1, -2)
            };
            if backward { x.leaf() } else { x }
        };
        let xs: Vec<Tensor> = self.operands().into_iter().map(made).collect();
        let run = || match &xs[..] {
            [x, w, b] => x.linear(w, Some(b)),
            xs => xs[0].matmul(&xs[1]),
        };
        let y = run();
        if shape != y.shape() {
            return Err(format!("{}: mapsto's result is {:?}, PyTorch's {shape:?}", self.name(), y.shape()));
        }
        let g = Tensor::ones(y.shape()).to(dtype);
        drop(y);
        let call = || {
            let y = std::hint::black_box(run());
            if backward {
                drop(std::hint::black_box(y.backward_with(&g)));
            }
        };
        Ok(Row::measured(self.name(), in_turn(&call, peer)?))
    }
}

/// All cells that fit: those of [`KINDS`] and small linear layers first, then all others in an order that looks drawn, so that
/// the first few are a fair sample.
fn cells() -> (Vec<Cell>, Vec<Cell>) {
    let mut kinds = Vec::new();
    for dtype in 0..DTYPES.len() {
        kinds.extend(KINDS.map(|sizes| Cell::Product { dtype, lie: 0, sizes }));
    }
    for (rows, width) in ROWS.into_iter().flat_map(|rows| WIDTHS.map(|width| (rows, width))) {
        for backward in [false, true] {
            kinds.push(Cell::Linear { dtype: 0, sizes: [rows, width, width], backward });
            kinds.push(Cell::Linear { dtype: 0, sizes: [rows, width, 10], backward });
        }
    }
    kinds.retain(Cell::fits);
    let mut rest = Vec::new();
    for sizes in 0..SIZES.len().pow(3) * BATCHES.len() {
        let at = |place: u32| SIZES[sizes / BATCHES.len() / SIZES.len().pow(place) % SIZES.len()];
        let sizes = [BATCHES[sizes % BATCHES.len()], at(0), at(1), at(2)];
        for dtype in 0..DTYPES.len() {
            rest.extend((0..LIES.len()).map(|lie| Cell::Product { dtype, lie, sizes }));
        }
    }
    rest.retain(|cell| cell.fits() && !kinds.contains(cell));
    // Each cell's place is a hash of its number.
    let mut order: Vec<(u64, Cell)> = rest
        .into_iter()
        .enumerate()
        .map(|(i, cell)| {
            let x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9), cell)
        })
        .collect();
    order.sort_by_key(|(place, _)| *place);
    (kinds, order.into_iter().map(|(_, cell)| cell).collect())
}

struct Options {
    python: String,
    out: std::path::PathBuf,
    sample: usize,
    with: Vec<String>,
    threads: usize,
    secs: f64,
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        python: String::new(),
        out: "target/products".into(),
        sample: 300,
        with: Vec::new(),
        threads: 2,
        secs: f64::INFINITY,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--python" => options.python = value()?.clone(),
            "--out" => options.out = value()?.into(),
            "--full" => options.sample = usize::MAX,
            "--sample" => options.sample = value()?.parse().map_err(|_| "--sample wants a number")?,
            "--with" => options.with.push(value()?.clone()),
            "--threads" => options.threads = value()?.parse().map_err(|_| "--threads wants a number")?,
            "--secs" => options.secs = value()?.parse().map_err(|_| "--secs wants a number")?,
            other => return Err(format!("no option is called {other}")),
        }
    }
    if options.python.is_empty() { Err("--python is needed".into()) } else { Ok(options) }
}

/// Runs the command with the arguments after `products`.
pub fn main(args: &[String]) -> ExitCode {
    match parse(args).map_err(|e| format!("{e}\n\n{USAGE}")).and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    mapsto::set_threads(options.threads);
    let (mut cells, mut rest) = cells();
    let wanted = |cell: &Cell| options.with.iter().all(|text| cell.name().contains(text.as_str()));
    cells.retain(wanted);
    rest.retain(wanted);
    cells.extend(rest.into_iter().take(options.sample));
    let mut rows = Rows::open(&options.out)?;
    let mut peer = Peer::start(&options.python, options.threads)?;
    let start = Instant::now();
    for (i, cell) in cells.iter().enumerate() {
        if start.elapsed().as_secs_f64() > options.secs {
            eprintln!("stopped after {i} of {} shapes; the same command goes on", cells.len());
            break;
        }
        if rows.has(&cell.name()) {
            continue;
        }
        let row = cell.measure(&mut peer)?;
        eprintln!("{:4}/{} {row}", i + 1, cells.len());
        rows.push(row)?;
    }
    let mut measured = rows.of(|name| cells.iter().any(|cell| cell.name() == name));
    write("shapes", &options.out, &mut measured)?;
    println!("{}", summary("shapes", &measured));
    println!("{}", options.out.join("table.md").display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_every_size_dtype_and_lie_and_no_shape_twice() {
        let (kinds, rest) = cells();
        let mut names: Vec<String> = kinds.iter().chain(&rest).map(Cell::name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        let sample: String = rest.iter().take(300).map(|cell| cell.name() + "\n").collect();
        for size in SIZES {
            assert!(sample.contains(&format!("x{size}x")), "{size}");
        }
        for word in LIES.into_iter().chain(DTYPES.map(|d| d.1)) {
            assert!(sample.contains(&format!(" | {word} | ")), "{word}");
        }
    }
}
