//! The contract of the state port, run on the embedded file, on a single Redis, over TLS, and on a cluster.
//!
//! Each test is a function on a [`Bench`]; [`state_contract`] lists them all and makes one module per backend. Every
//! test ends with a look at all keys it left: each has a TTL within its policy and a sound name.

pub mod archiving;
pub mod auth;
pub mod bench;
pub mod caches;
pub mod calls;
pub mod inspect;
pub mod on_embedded;
pub mod on_redis;
pub mod open_set;
pub mod outbox;
pub mod turns;
pub mod workers;

/// All tests of the contract on one backend.
macro_rules! state_contract {
    ($backend:ty) => {
        $crate::contract::state::state_contract!(@group $backend, calls, [
            an_unknown_call_registers_as_nothing,
            register_tells_an_open_session,
            connect_opens_the_call_and_its_context,
            connect_keeps_the_first_time,
            an_event_id_is_taken_once,
            a_duplicate_touches_no_life,
            an_event_id_counts_within_its_call,
            changes_without_an_event_id_are_all_taken,
            one_of_many_concurrent_copies_is_taken,
            an_end_is_kept_and_raises_lives,
            an_ended_call_stays_ended,
            a_late_event_is_kept_as_a_note,
            disconnected_before_connected_opens_and_ends,
            every_order_of_connect_turn_and_disconnect_keeps_its_word,
            a_stale_participants_report_is_ignored,
            each_event_lets_the_call_live_on,
            the_profile_is_kept_in_an_open_call_alone,
            a_profile_that_opens_the_context_says_so,
        ]);
        $crate::contract::state::state_contract!(@group $backend, turns, [
            turns_are_numbered_and_remembered,
            fifty_copies_of_one_turn_are_one_turn,
            concurrent_turns_get_consecutive_numbers,
            a_known_turn_gets_the_first_answer,
            a_known_turn_is_answered_after_the_end,
            an_unknown_call_is_opened_provisionally,
            a_context_within_its_limits_is_taken,
            a_context_above_its_limits_changes_nothing,
            a_patch_sets_replaces_and_removes,
            the_user_follows_the_patch,
            an_expired_context_is_rebuilt_and_says_so,
            a_context_that_never_expired_is_not_rebuilt,
            the_window_is_bounded,
            an_unknown_call_loads_as_nothing,
            a_turn_gives_every_key_its_life,
        ]);
        $crate::contract::state::state_contract!(@group $backend, outbox, [
            settling_takes_the_message_out,
            settling_what_is_not_there_does_nothing,
            stage_times_are_kept_with_the_turns,
            stage_times_of_a_call_that_is_gone_leave_no_trace,
            the_outbox_is_ordered,
            a_large_outbox_is_read_in_slices,
            turns_whose_numbers_are_forgotten_come_first,
            the_outbox_never_lives_shorter,
        ]);
        $crate::contract::state::state_contract!(@group $backend, open_set, [
            calls_stand_in_their_partition_the_idlest_first,
            touching_moves_and_removes,
            a_survey_keeps_the_order,
        ]);
        $crate::contract::state::state_contract!(@group $backend, archiving, [
            history_is_read_in_slices,
            close_refuses_what_is_not_archived,
            close_leaves_the_summary_alone,
            closing_again_is_true,
            an_archived_call_refuses_everything,
        ]);
        $crate::contract::state::state_contract!(@group $backend, auth, [
            a_success_is_kept,
            failures_are_counted_until_the_lock,
            a_success_clears_the_count,
            a_locked_state_runs_out_unchanged,
            concurrent_failures_are_all_counted,
            a_state_can_be_cleared_unless_locked,
        ]);
        $crate::contract::state::state_contract!(@group $backend, workers, [
            a_free_call_is_claimed,
            the_owner_renews_with_its_token,
            a_wrong_token_is_refused,
            another_live_worker_is_refused,
            a_dead_worker_holds_nothing,
            an_expired_claim_is_free,
            a_claim_is_released_by_its_owner_alone,
            a_heartbeat_counts_the_calls,
            a_heartbeat_drops_the_calls_that_are_lost,
            an_owner_whose_heartbeat_is_gone_holds_nothing,
            one_of_many_claimers_wins,
        ]);
        $crate::contract::state::state_contract!(@group $backend, caches, [
            a_missing_phrase_is_one_callers,
            one_of_many_askers_synthesises,
            kept_audio_is_found,
            a_dropped_claim_is_free_for_others,
            audio_above_four_mebibytes_is_not_kept,
            a_full_cache_takes_nothing_more,
            a_profile_is_replaced_and_removed,
            the_store_answers_and_is_checked,
        ]);
        $crate::contract::state::state_contract!(@group $backend, inspect, [
            keys_without_a_ttl_are_found_by_their_kind,
            values_of_every_type_are_read_with_their_kind,
            a_canary_is_planted_read_and_uprooted,
        ]);
    };
    (@group $backend:ty, $group:ident, [$($test:ident),* $(,)?]) => {
        mod $group {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let bench = $crate::contract::state::bench::Bench::start::<$backend>();
                    $crate::contract::state::$group::$test(&bench).await;
                    bench.no_leftovers();
                }
            )*
        }
    };
}
use state_contract;
