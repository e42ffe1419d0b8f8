//! `#[async_test]` as redis-rs' tests use it: an `async fn` becomes a test that runs on tokio.
//!
//! A function without parameters runs once; one that takes a `bool` becomes two tests, one for each value; one that
//! takes anything else takes a connection to a fresh server. The function must stand in a crate whose root has redis-rs'
//! module `support`, which remembers that something panicked until the end of a run: after a test that panicked, an empty
//! run makes it forget, so that the next test is not blamed.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// Makes tests of an `async fn`.
#[proc_macro_attribute]
pub fn async_test(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let Some(begin) = tokens.iter().position(|token| is(token, "async")) else {
        return refuse("an async fn is wanted");
    };
    let (attributes, function) = tokens.split_at(begin);
    let [_, _, name, TokenTree::Group(parameters), .., TokenTree::Group(_)] = function else {
        return refuse("async fn name(parameters) { body } is wanted");
    };
    if parameters.delimiter() != Delimiter::Parenthesis {
        return refuse("a function without type parameters is wanted");
    }
    let result = text(&function[4..function.len() - 1]);
    let (attributes, inner, parameters) = (text(attributes), text(function), parameters.stream().to_string());
    let test = |suffix: &str, call: &str| {
        format!(
            "{attributes} #[test] fn {name}{suffix}() {result} {{ {inner} \
             use ::std::panic::{{AssertUnwindSafe, catch_unwind, resume_unwind}}; \
             let tokio = crate::support::RuntimeType::Tokio; \
             let run = AssertUnwindSafe(|| crate::support::block_on_all({call}, tokio)); \
             catch_unwind(run).unwrap_or_else(|panic| {{ \
             let _ = catch_unwind(AssertUnwindSafe(|| crate::support::block_on_all(async {{}}, tokio))); \
             resume_unwind(panic) }}) }}"
        )
    };
    let tests = if parameters.is_empty() {
        test("", &format!("{name}()"))
    } else if parameters.trim_end().trim_end_matches(',').ends_with("bool") {
        ["true", "false"].map(|value| test(&format!("_{value}"), &format!("{name}({value})"))).concat()
    } else {
        let call = format!(
            "async {{ let context = ::redis_test::TestContext::default(); \
             {name}(context.async_connection().await.unwrap()).await }}"
        );
        test("", &call)
    };
    tests.parse().unwrap_or_else(|_| refuse("the function could not be made a test"))
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(name) if name.to_string() == word)
}

fn text(tokens: &[TokenTree]) -> String {
    tokens.iter().cloned().collect::<TokenStream>().to_string()
}

fn refuse(why: &str) -> TokenStream {
    format!("::core::compile_error!({why:?});").parse().unwrap_or_default()
}
