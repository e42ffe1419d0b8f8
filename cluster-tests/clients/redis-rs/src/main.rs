//! Runs mixed commands through redis-rs's cluster client, default settings, and checks each reply against a model.
//!
//! usage: redis-rs-smoke PORT [COMMANDS]. A wrong reply or an error ends the run with exit code 1.

use std::collections::HashMap;
use std::error::Error;

use redis::Commands;
use redis::cluster::{ClusterClient, ClusterConnection};

/// A small generator (Lehmer), so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        self.0 % sides
    }
}

#[derive(Default)]
struct Model {
    strings: HashMap<String, String>,
    counters: HashMap<String, i64>,
    hashes: HashMap<String, HashMap<String, String>>,
    lists: HashMap<String, Vec<String>>,
    scores: HashMap<String, HashMap<String, f64>>,
}

fn step(c: &mut ClusterConnection, run: u32, model: &mut Model, dice: &mut Dice) -> Result<(), Box<dyn Error>> {
    let n = dice.roll(2000);
    let value = dice.roll(1_000_000).to_string();
    match dice.roll(10) {
        0 => {
            let key = format!("rs{run}:s:{n}");
            let () = c.set(&key, &value)?;
            model.strings.insert(key, value);
        }
        1 => {
            let key = format!("rs{run}:s:{n}");
            let got: Option<String> = c.get(&key)?;
            same("GET", &got.as_ref(), &model.strings.get(&key))?;
        }
        2 => {
            let key = format!("rs{run}:c:{n}");
            let want = model.counters.entry(key.clone()).or_default();
            *want += 1;
            let got: i64 = c.incr(&key, 1)?;
            same("INCR", &got, want)?;
        }
        3 => {
            let (key, field) = (format!("rs{run}:h:{n}"), dice.roll(20).to_string());
            let () = c.hset(&key, &field, &value)?;
            model.hashes.entry(key).or_default().insert(field, value);
        }
        4 => {
            let key = format!("rs{run}:h:{n}");
            let got: HashMap<String, String> = c.hgetall(&key)?;
            same("HGETALL", &got, &model.hashes.get(&key).cloned().unwrap_or_default())?;
        }
        5 => {
            let key = format!("rs{run}:l:{n}");
            let list = model.lists.entry(key.clone()).or_default();
            list.push(value.clone());
            let got: usize = c.rpush(&key, &value)?;
            same("RPUSH", &got, &list.len())?;
        }
        6 => {
            let key = format!("rs{run}:l:{n}");
            let got: Vec<String> = c.lrange(&key, 0, -1)?;
            same("LRANGE", &got, &model.lists.get(&key).cloned().unwrap_or_default())?;
        }
        7 => {
            let (key, member, score) = (format!("rs{run}:z:{n}"), dice.roll(30).to_string(), dice.roll(4000) as f64 / 8.0);
            let () = c.zadd(&key, &member, score)?;
            model.scores.entry(key).or_default().insert(member, score);
        }
        8 => {
            let (key, member) = (format!("rs{run}:z:{n}"), dice.roll(30).to_string());
            let got: Option<f64> = c.zscore(&key, &member)?;
            let want = model.scores.get(&key).and_then(|scores| scores.get(&member)).copied();
            same("ZSCORE", &got, &want)?;
        }
        _ => {
            let key = format!("rs{run}:s:{n}");
            let got: usize = c.del(&key)?;
            same("DEL", &got, &usize::from(model.strings.remove(&key).is_some()))?;
        }
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, want: &T) -> Result<(), Box<dyn Error>> {
    if got == want { Ok(()) } else { Err(format!("{what}: got {got:?}, wanted {want:?}").into()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().ok_or("usage: redis-rs-smoke PORT [COMMANDS]")?.parse()?;
    let commands: u64 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let client = ClusterClient::new(vec![format!("redis://127.0.0.1:{port}")])?;
    let mut connection = client.get_connection()?;
    let mut model = Model::default();
    let mut dice = Dice(42);
    for _ in 0..commands {
        step(&mut connection, std::process::id(), &mut model, &mut dice)?;
    }
    println!("redis-rs: {commands} commands, no error");
    Ok(())
}
