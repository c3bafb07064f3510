//! Everyday sentences, and what each is taken for: a skill's own requests in the ways people say them, and talk that only
//! mentions its words.

use std::time::Duration;

use super::tests::{brain, request};
use super::words::Words;
use super::{Answer, Skill};

fn choose(text: &str) -> (Skill, Answer) {
    brain().choose(&Words::of(text), &request(text))
}

/// A sentence and what it is.
const TABLE: &[(Skill, &str)] = {
    use Skill::{Clock, Courtesy, Dice, Help, Limits, None, Recap, Repeat, Timer};
    &[
        // Dice, coins and numbers.
        (Dice, "Roll a die."),
        (Dice, "Could you roll two dice for me, please?"),
        (Dice, "Toss the die."),
        (Dice, "Throw me a twenty-sided die."),
        (Dice, "Okay, roll a d20."),
        (Dice, "Two dice, please."),
        (Dice, "2d6"),
        (Dice, "Let's flip a coin."),
        (Dice, "Heads or tails?"),
        (Dice, "Pick a number between one and ten."),
        (Dice, "Give me a random number."),
        (None, "I don't want to die."),
        (None, "Die, monster, die!"),
        (None, "It's do or die."),
        (None, "Throw it away or die trying."),
        (None, "Two people die every second."),
        (None, "People throw dice in Monopoly."),
        (None, "I rolled two dice and lost."),
        (None, "Dice the onions and fry them."),
        (None, "A die has six sides."),
        (None, "He didn't even toss a coin for it."),
        (None, "Pick up the phone, it's a number I know."),
        (None, "Give me your phone number."),
        // Timers.
        (Timer, "Remind me to stop the oven in 10 minutes."),
        (Timer, "Remind me in an hour to cancel my order."),
        (Timer, "Can you set a timer for five minutes, please?"),
        (Timer, "I need a timer for ten minutes."),
        (Timer, "A five minute timer, please."),
        (Timer, "Please wake me in two hours."),
        (Timer, "Set an alarm."),
        (Timer, "Remind me to call my mum."),
        (Timer, "Cancel the timer."),
        (Timer, "Stop the alarm!"),
        (Timer, "Cancel the ten minute timer."),
        (None, "The alarm went off this morning."),
        (None, "I set an alarm for ten minutes yesterday."),
        (None, "The timer on my oven is broken."),
        (None, "Remind me what your favourite song is."),
        (None, "They had to remove the fire alarm."),
        (None, "I took a reminder from the fridge."),
        (None, "It took five minutes."),
        // Limits.
        (Limits, "How much time do I have left?"),
        (Limits, "How long do we have?"),
        (Limits, "Tell me how much time we have left."),
        (Limits, "What is my limit?"),
        (Limits, "How much of my quota is left?"),
        (Limits, "How much time is left in this session?"),
        (Limits, "How much voice time is left?"),
        (Limits, "When does my quota reset?"),
        (None, "How much time is left in the game?"),
        (None, "How long do I have to boil an egg?"),
        (None, "How much time do we have before the train leaves?"),
        (None, "How much milk is left?"),
        (None, "How much is left of the cake?"),
        (None, "There is not much left to say."),
        (None, "I turned left after a long walk."),
        (None, "I am at my limit."),
        (None, "How long is the Nile?"),
        // The last answer again.
        (Repeat, "Say that again, please."),
        (Repeat, "Can you repeat that?"),
        (Repeat, "Sorry, what did you say?"),
        (Repeat, "Once more, please."),
        (Repeat, "Come again?"),
        (None, "I will not repeat that mistake."),
        (None, "Repeat after me: I will be good."),
        (None, "Will you come again tomorrow?"),
        (None, "I tried it once more and it worked."),
        (None, "What did you say to my sister?"),
        // What was said.
        (Recap, "What did Bob say?"),
        (Recap, "What did we talk about so far?"),
        (Recap, "Give me a summary."),
        (Recap, "Summarize the conversation, please."),
        (Recap, "What did I miss?"),
        (None, "What did the fox say?"),
        (None, "What did I miss in the last episode?"),
        (None, "I read a summary of the book."),
        (None, "Summarize the French Revolution."),
        // Time and date.
        (Clock, "What time is it?"),
        (Clock, "Hey, what's the time right now?"),
        (Clock, "Can you tell me the time?"),
        (Clock, "Do you know what day it is?"),
        (Clock, "What's the date today?"),
        (Clock, "What day of the week is it tomorrow?"),
        (Clock, "What month is it?"),
        (None, "What time is dinner?"),
        (None, "What time does the train leave?"),
        (None, "What time is it in Tokyo?"),
        (None, "This is the time for action."),
        (None, "Is it time to go?"),
        (None, "I do not know what time it is."),
        (None, "What did you do today?"),
        (None, "What day is your birthday?"),
        (None, "What is the date of the battle of Hastings?"),
        (None, "What should I wear on my date tomorrow?"),
        (None, "What a day!"),
        (None, "What year was he born?"),
        // Help.
        (Help, "Help!"),
        (Help, "Can you help me?"),
        (Help, "What can you do?"),
        (None, "I can't help it."),
        (None, "Can you do me a favour?"),
        (None, "That did not help."),
        (None, "Can you help me with my homework?"),
        // Courtesies.
        (Courtesy, "Hello!"),
        (Courtesy, "Good morning, everyone."),
        (Courtesy, "Okay, thank you very much."),
        (Courtesy, "Bye, see you tomorrow."),
        (Courtesy, "How are you today?"),
        (Courtesy, "What's your name?"),
        (Courtesy, "Can you hear me?"),
        (None, "He said hi to me."),
        (None, "Thanks to him we lost."),
        (None, "I had a good night."),
        (None, "What are you talking about?"),
        (None, "How are you going to do that?"),
        (None, "Were you there yesterday?"),
        (None, "I forgot your name."),
        // Two sentences in one turn.
        (Dice, "That was close. Roll a die."),
        (Clock, "Hello. What time is it? Thanks."),
    ]
};

#[test]
fn everyday_sentences_are_taken_for_what_they_are() {
    let wrong: Vec<String> = TABLE
        .iter()
        .map(|(expected, text)| (expected, text, choose(text)))
        .filter(|(expected, _, (skill, _))| *expected != skill)
        .map(|(expected, text, (skill, answer))| {
            format!("{text} is {expected:?}, not {skill:?}: {}", answer.text)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_timer_takes_its_own_time_and_leaves_the_errand_whole() {
    for (text, seconds, announcement) in [
        (
            "Remind me to stop the oven in 10 minutes.",
            600,
            "Here is your reminder: stop the oven.",
        ),
        (
            "Remind me in an hour to cancel my order.",
            3600,
            "Here is your reminder: cancel your order.",
        ),
        (
            "Remind me to take a day off in ten minutes.",
            600,
            "Here is your reminder: take a day off.",
        ),
        (
            "Wait a second, set a timer for five minutes.",
            300,
            "Your timer for 5 minutes is up.",
        ),
    ] {
        let expected = Some((Duration::from_secs(seconds), announcement.to_owned()));
        assert_eq!(choose(text).1.timer, expected, "{text}");
    }
    assert_eq!(choose("Cancel the ten minute timer.").1.timer, None);
}

#[test]
fn a_range_is_what_follows_its_word() {
    let answer = choose("Pick one number between 40 and 41.").1.text;
    assert!(["40.", "41."].contains(&answer.as_str()), "{answer}");
}
