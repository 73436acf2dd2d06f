//! What each step from a policy to a batch costs, for policies of three sizes. The kernel is the one in memory.
//!
//!     cargo bench --bench pipeline
//!
//! Whole programs against a real kernel are measured by `commands`, packets by `datapath`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark stops at the first surprise"
)]

#[expect(dead_code, reason = "other benchmarks need more of it")]
mod policy;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use policy::Policy;
use rfw::bytecode::{Program, linearize};
use rfw::compile::compile;
use rfw::diagnostic::SourceText;
use rfw::diff::diff;
use rfw::kernel::{FakeKernel, Kernel};
use rfw::live::Live;
use rfw::netlink::encode;
use rfw::plan::plan;
use rfw::policy::parse;
use rfw::ruleset::{Valid, validate};

const SIZES: [usize; 3] = [100, 1_000, 10_000];
const MARK: [u8; 16] = [1; 16];

fn source(policy: &Policy) -> Vec<SourceText> {
    vec![SourceText {
        name: "bench.yaml".into(),
        text: policy.yaml().into(),
    }]
}

fn read(policy: &Policy) -> rfw::policy::Policy {
    parse(&source(policy)).policy.expect("no errors")
}

fn compiled(policy: &rfw::policy::Policy) -> Valid {
    let (compiled, _) = compile(policy.clone(), jiff::civil::date(2026, 1, 1));
    validate(compiled.expect("no errors").ruleset).expect("a valid ruleset")
}

fn program(policy: &Policy) -> Program {
    linearize(compiled(&read(policy)).into_ruleset())
}

/// What a kernel holds that has loaded this program.
fn live(program: &Program) -> Live {
    let mut kernel = FakeKernel::new();
    let load = plan(&kernel.observe().unwrap(), program, MARK);
    let mut base = load.base;
    for batch in [&load.staging, &load.commit] {
        if !batch.is_empty() {
            base = kernel.commit(base, batch).expect("taken");
        }
    }
    kernel.observe().unwrap()
}

fn pipeline(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    for size in SIZES {
        let id = |step: &str| BenchmarkId::new(step, size);
        let policy = Policy::new(size);
        let sources = source(&policy);
        let read = read(&policy);
        let ruleset = compiled(&read);
        let base = linearize(ruleset.ruleset().clone());
        let changed = program(&Policy::changed(size, 1));
        let empty = FakeKernel::new().observe().unwrap();
        let live = live(&base);
        let first = plan(&empty, &base, MARK);
        let one_line = plan(&live, &changed, MARK);

        group.bench_function(id("parse"), |bencher| {
            bencher.iter(|| black_box(parse(&sources)));
        });
        group.bench_function(id("compile"), |bencher| {
            bencher.iter(|| black_box(compiled(&read)));
        });
        group.bench_function(id("linearize"), |bencher| {
            bencher.iter(|| black_box(linearize(ruleset.ruleset().clone())));
        });
        group.bench_function(id("diff, nothing changed"), |bencher| {
            bencher.iter(|| black_box(diff(&live, &base)));
        });
        group.bench_function(id("diff, one line"), |bencher| {
            bencher.iter(|| black_box(diff(&live, &changed)));
        });
        group.bench_function(id("plan, first"), |bencher| {
            bencher.iter(|| black_box(plan(&empty, &base, MARK)));
        });
        group.bench_function(id("plan, one line"), |bencher| {
            bencher.iter(|| black_box(plan(&live, &changed, MARK)));
        });
        group.bench_function(id("encode, first"), |bencher| {
            bencher.iter(|| black_box(encode(first.base, &first.commit)));
        });
        group.bench_function(id("encode, one line"), |bencher| {
            bencher.iter(|| black_box(encode(one_line.base, &one_line.commit)));
        });
    }
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
