//! PyTorch as a process that makes the operands of a cell and times one sample after the other when asked.

use super::cell::{Cell, DTYPES, Pass, Values};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The process, `benches/peers/ops_peer.py`.
pub struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it with this Python, in which PyTorch is installed.
    pub fn start(python: &str, threads: usize) -> Result<Peer, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/peers/ops_peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .env("THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{python} cannot be started: {e}"))?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let (Some(to), Some(from)) = (to, from) else { return Err("the peer has no pipes".into()) };
        let mut peer = Peer { child, to, from: BufReader::new(from) };
        match peer.line()? {
            hello if hello == "ready" => Ok(peer),
            other => Err(format!("the peer says `{other}`")),
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.from.read_line(&mut line) {
            Ok(0) | Err(_) => Err("the peer has ended".into()),
            Ok(_) => Ok(line.trim_end_matches(['\n', '\r']).to_string()),
        }
    }

    fn ask(&mut self, what: &str) -> Result<String, String> {
        writeln!(self.to, "{what}").and_then(|()| self.to.flush()).map_err(|e| e.to_string())?;
        self.line()
    }

    /// Makes the operands of a cell. The answer is the shape of the result, or why PyTorch cannot do it.
    pub fn prepare(&mut self, cell: &Cell) -> Result<Result<Vec<usize>, String>, String> {
        let operands = cell.inputs().into_iter().zip(cell.layouts()).map(|(input, layout)| {
            let dtype = match input.values {
                Values::Ids(_) => "i64",
                Values::Bits => "bool",
                _ => DTYPES[cell.dtype].1,
            };
            let values = match input.values {
                Values::Normal => "normal".to_string(),
                Values::Positive => "positive".to_string(),
                Values::Unit => "unit".to_string(),
                Values::Ids(below) => below.to_string(),
                Values::Bits => "bits".to_string(),
            };
            operand(dtype, layout.name(), &values, &input.shape)
        });
        self.make(cell.case.torch, cell.pass == Pass::Both, operands)
    }

    /// Makes operands, as [`operand`] describes them, for an expression in `a`, `b`, ..; the answer is as above.
    pub fn make(
        &mut self,
        expression: &str,
        backward: bool,
        operands: impl IntoIterator<Item = String>,
    ) -> Result<Result<Vec<usize>, String>, String> {
        let mut order = format!("make\t{expression}\t{backward}");
        operands.into_iter().for_each(|operand| order += &format!("\t{operand}"));
        let answer = self.ask(&order)?;
        Ok(match answer.split_once(' ') {
            Some(("no", reason)) => Err(reason.to_string()),
            Some(("ok", shape)) => {
                Ok(shape.split(',').filter(|s| !s.is_empty()).filter_map(|s| s.parse().ok()).collect())
            }
            _ => return Err(format!("the peer says `{answer}`")),
        })
    }

    /// Microseconds a call, in one sample.
    pub fn sample(&mut self) -> Result<f64, String> {
        let answer = self.ask("time")?;
        answer.parse().map_err(|_| format!("the peer says `{answer}`"))
    }
}

/// What the peer is told of one operand.
pub fn operand(dtype: &str, layout: &str, values: &str, shape: &[usize]) -> String {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{dtype};{layout};{values};{}", shape.join(","))
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already; nothing is lost with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
