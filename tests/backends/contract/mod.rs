//! The contract that every backend keeps (`elman::backend`), as one suite: each property is a test of its own for
//! each backend.
//!
//! What is required is compared with naive loops in `f64` and with numbers worked out by hand; what is fused with the
//! default body that it may replace. A backend of one's own is tested by one more line at the end of this file.

mod accuracy;
mod counts;
mod crf;
mod ctc;
mod elementwise;
mod errors;
mod extremes;
mod finite;
mod fused;
mod index;
mod layout;
mod loss;
mod negative_sampling;
mod norm;
mod product;
mod projected;
mod recurrent;
mod reduce;
mod rows;
mod sharing;
mod tails;
mod transfer;
mod update;
mod views;

/// A module of tests, named after the backend: `contract!(name, backend)`.
macro_rules! contract {
    ($name:ident, $backend:expr) => {
        mod $name {
            contract! { @tests $backend;
                transfer { numbers_come_back, indices_come_back, fill_is_uniform, the_backend_has_a_name }
                elementwise {
                    map_follows_its_definition, map_agrees_with_the_tables, map_lets_nan_through,
                    zip_follows_its_definition, zip_lets_nan_through, comparisons_are_false_for_nan,
                    select_chooses, what_is_not_selected_has_no_influence
                }
                reduce {
                    sum_to_adds_what_was_stretched, sums_of_nothing_are_zero, sums_let_nan_through,
                    max_and_argmax_find_the_greatest, max_lets_nan_through, argmax_takes_the_first
                }
                product {
                    all_transposes_at_all_sizes, leading_axes_pair_up_or_share, products_over_nothing_are_zero,
                    products_let_nan_through
                }
                layout {
                    reshape_keeps_the_order, permute_moves_the_axes, slice_takes_a_part, concat_joins_the_parts
                }
                index { gather_takes_rows, scatter_add_adds_rows, one_hot_marks_the_index }
                views { operations_see_through_views }
                sharing {
                    add_assign_adds, add_assign_spares_siblings, update_spares_siblings, views_are_spared_too,
                    the_tape_keeps_what_it_saved, the_same_calls_give_the_same_bits
                }
                errors {
                    wrong_counts, wrong_shapes, wrong_axes, wrong_permutations, wrong_slices, wrong_parts,
                    wrong_indices, wrong_products, wrong_affine_maps, wrong_losses, wrong_updates
                }
                fused {
                    linear_is_its_default, linear_is_affine, linear_grad_is_its_default, linear_steps_is_its_default,
                    bag_linear_is_its_default,
                    bag_linear_is_the_dense_product, activations_are_their_defaults, activations_are_their_definitions,
                    softmaxes_are_their_defaults, softmax_of_extremes_is_finite, dropout_is_its_default,
                    dropout_follows_the_key
                }
                tails {
                    values_and_slopes_hold_in_the_tails, the_greatest_numbers_are_finite, kinks_have_the_documented_slope
                }
                loss {
                    sparse_cross_entropy_is_its_default, cross_entropy_is_its_default,
                    binary_cross_entropy_is_its_default, losses_agree_with_hand_calculation, extreme_logits_stay_finite
                }
                norm {
                    layer_norm_is_its_default, layer_norm_is_its_definition, attention_is_its_default,
                    attention_is_its_definition, what_is_masked_is_not_attended_to, wrong_norms_and_attentions
                }
                extremes {
                    impossible_classes_cost_nothing, binary_cross_entropy_at_the_ends, softmaxes_at_the_ends,
                    activations_at_the_ends, slopes_in_the_tail_are_there, rows_without_a_gradient_have_none,
                    what_is_dropped_has_no_influence, masked_inputs_reach_no_kernel, masked_inputs_reach_no_network,
                    maxima_of_nothing_greater
                }
                accuracy {
                    sums_of_many_are_accurate, sums_by_index_are_accurate, gradients_of_many_rows_are_accurate,
                    means_are_quotients, constant_rows_have_no_deviation, deviations_survive_far_away
                }
                update {
                    every_rule_is_its_default, rules_follow_their_formulas, updates_together_are_single_ones,
                    adamax_without_epsilon_stays_where_there_was_no_gradient,
                    updates_can_be_held_back, what_is_not_finite_is_found, divisions_by_nothing_move_nothing
                }
                finite { gradients_that_are_not_finite_are_found }
                rows {
                    exact_updates_are_dense_ones, lazy_updates_are_those_of_the_rows, rows_of_nothing,
                    updates_of_rows_spare_siblings, wrong_rows_are_errors
                }
                crf {
                    crf_is_its_definition, crf_is_its_default, crf_of_extremes_is_its_definition,
                    forbidden_paths_are_infinite, the_path_is_the_best, the_path_is_its_default,
                    steps_that_do_not_count_have_no_influence, wrong_chains_are_errors
                }
                ctc {
                    ctc_is_its_definition, ctc_is_its_default, ctc_of_extremes_is_its_definition,
                    steps_left_out_of_ctc_have_no_influence, wrong_transcripts_are_errors
                }
                negative_sampling {
                    negative_sampling_is_its_default, negative_sampling_goes_against_the_gradient,
                    negative_sampling_spares_siblings, wrong_windows_are_errors
                }
                recurrent {
                    every_cell_is_its_default, every_size_is_its_default, cells_follow_their_formulas,
                    gradients_come_in_all_choices, masked_steps_have_no_influence, wrong_sequences_are_errors
                }
                projected {
                    every_projected_cell_is_its_default, every_projected_size_is_its_default,
                    projected_shapes_are_checked
                }
            }
        }
    };
    (@tests $backend:expr; $($module:ident { $($property:ident),* })*) => {
        $(mod $module {
            $(#[test]
            fn $property() -> elman::Result<()> {
                crate::contract::$module::$property(&$backend)
            })*
        })*
    };
}

contract!(reference_f32, elman_reference::Reference::<f32>::new());
contract!(reference_f64, elman_reference::Reference::<f64>::new());
contract!(candle_cpu, elman_candle::Candle::cpu());
contract!(candle_cpu_on_one_thread, elman_candle::Candle::cpu_with_threads(1)?);
contract!(candle_portable, elman_candle::Candle::portable(elman_candle::candle_core::Device::Cpu));
#[cfg(feature = "cuda")]
contract!(candle_cuda, elman_candle::Candle::cuda(0)?);
