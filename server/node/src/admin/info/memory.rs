//! The section on memory.
//!
//! Used memory is what is allocated; what the process occupies beside that is its code and what the allocator keeps for
//! later, which is shown as fragmentation. The allocator is not asked how much of it is which.

use super::Page;
use super::system;
use crate::admin::Call;
use crate::script::Scripts;

pub(super) fn memory(page: &mut Page, call: &Call<'_>) {
    let settings = call.node.config.settings();
    let (used, peak) = call.node.peak.sample();
    let resident = system::resident();
    page.section("Memory");
    page.bytes("used_memory", used);
    page.bytes("used_memory_rss", resident);
    page.bytes("used_memory_peak", peak);
    page.field("used_memory_peak_perc", format_args!("{:.2}%", used as f64 * 100.0 / peak.max(1) as f64));
    page.fields(&[
        ("used_memory_overhead", &0),
        ("used_memory_startup", &0),
        ("used_memory_dataset", &used),
        ("used_memory_dataset_perc", &"100.00%"),
        ("allocator_allocated", &used),
        ("allocator_active", &resident),
        ("allocator_resident", &resident),
    ]);
    page.bytes("total_system_memory", system::total_memory());
    scripts(page, &call.node.scripts);
    page.bytes("maxmemory", settings.maxmemory);
    page.field("maxmemory_policy", &settings.maxmemory_policy);
    for (ratio, whole, part) in [
        ("allocator_frag", resident, used),
        ("allocator_rss", resident, resident),
        ("rss_overhead", resident, resident),
        ("mem_fragmentation", resident, used),
    ] {
        page.field(&format!("{ratio}_ratio"), format_args!("{:.2}", whole as f64 / part.max(1) as f64));
        page.field(&format!("{ratio}_bytes"), i128::from(whole) - i128::from(part));
    }
    let lazyfree = call.node.engine.lazyfree();
    let clients = call.node.clients.all().iter().map(|client| client.held().output).sum::<usize>();
    page.fields(&[
        ("mem_not_counted_for_evict", &0),
        ("mem_replication_backlog", &0),
        ("mem_total_replication_buffers", &0),
        ("mem_clients_slaves", &0),
        ("mem_clients_normal", &clients),
        ("mem_cluster_links", &0),
        ("mem_aof_buffer", &0),
        ("mem_allocator", &"mimalloc"),
        ("active_defrag_running", &0),
        ("lazyfree_pending_objects", &lazyfree.pending),
        ("lazyfreed_objects", &lazyfree.freed),
    ]);
}

/// What scripts take, and functions, of which there are none.
fn scripts(page: &mut Page, scripts: &Scripts) {
    let (count, bytes) = scripts.size();
    let interpreter = scripts.interpreter();
    page.field("used_memory_vm_eval", interpreter);
    page.bytes("used_memory_lua", interpreter);
    page.fields(&[
        ("used_memory_scripts_eval", &bytes),
        ("number_of_cached_scripts", &count),
        ("number_of_functions", &0),
        ("number_of_libraries", &0),
        ("used_memory_vm_functions", &0),
    ]);
    page.bytes("used_memory_vm_total", interpreter);
    page.field("used_memory_functions", bytes);
    page.bytes("used_memory_scripts", bytes as u64);
}
