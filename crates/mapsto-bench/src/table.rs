//! How long it takes to read a table whose columns are not known: understood, and every cell a number in memory.

use mapsto::data::{Dataset, Reading, Table};
use std::process::ExitCode;
use std::time::Instant;

/// Prints `mapsto SECONDS ROWS COLUMNS SUM`; the sum of all cells is for comparing what was read.
pub fn run(path: &str, target: &str) -> ExitCode {
    mapsto::set_threads(2);
    let start = Instant::now();
    let set = Table::open(path, &Reading::new())
        .and_then(|table| table.features_except([target])?.understood()?.target(target));
    let seconds = start.elapsed().as_secs_f64();
    let set = match set {
        Ok(set) => set,
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::FAILURE;
        }
    };
    let columns = set.info().features.len();
    let mut sum = 0.0;
    let rows: Vec<usize> = (0..set.len()).collect();
    for rows in rows.chunks(4096) {
        match set.exact_batch(rows) {
            Ok(Some(batch)) => sum += batch.x.to_vec::<f64>().iter().sum::<f64>(),
            Ok(None) => {}
            Err(e) => eprintln!("{e}"),
        }
    }
    println!("mapsto {seconds:.3} {} {columns} {sum:.3}", set.len());
    ExitCode::SUCCESS
}
