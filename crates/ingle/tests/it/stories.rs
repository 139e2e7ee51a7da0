//! stories260K (karpathy/llama2.c): the text its own test publishes, byte for byte.

use ingle::{FinishReason, Level};
use testkit::golden;

use crate::files::{greedy, stories};

#[test]
fn two_hundred_steps_from_nothing_at_every_level() {
    let published = golden::text("models/stories260K.txt");
    // First whatever `INGLE_ISA` says, then each level by name.
    let builders =
        std::iter::once(stories()).chain(Level::available().map(|level| stories().level(level)));
    for builder in builders {
        let model = builder.load().unwrap();
        let reply = model
            .complete("")
            .sampler(greedy())
            .max_tokens(200)
            .run()
            .unwrap();
        let text = reply.text.as_str();
        assert_eq!(text, published, "{}", model.info().level);
        assert_eq!(reply.finish_reason, FinishReason::Length);
        assert_eq!(
            (reply.usage.prompt_tokens, reply.usage.generated_tokens),
            (1, 200)
        );
    }
}
