// The command line of custodians: ceremony, share, custodian, action, approve.
#include <memory>

#include "provisioning/ceremony.h"
#include "provisioning/ceremony_actions.h"
#include "provisioning/ceremony_leaving.h"
#include "provisioning/ceremony_shares.h"
#include "provisioning/commands.h"
#include "provisioning/custodian_register.h"
#include "provisioning/secret_renewal.h"
#include "provisioning/unseal_acts.h"
#include "vault/custody/action.h"

namespace cardvault::provisioning {
namespace {

void add_plan(CLI::App& ceremony, Chosen& chosen) {
  CLI::App& plan = command(ceremony, "plan", "the plan of a ceremony, a TOML file",
                           "  cardvault ceremony plan check plan.toml\n"
                           "  cardvault ceremony plan show plan.toml");
  plan.require_subcommand(1);
  const auto add = [&](const char* name, const char* what, auto act) {
    CLI::App& app =
        command(plan, name, what,
                (std::string("  cardvault ceremony plan ") + name + " plan.toml").c_str());
    const auto path = std::make_shared<std::string>();
    app.add_option("FILE", *path, "the plan")->required();
    app.callback([&chosen, path, act] {
      chosen = [path, act](const Context& context) { return act(context, *path); };
    });
  };
  add("check", "say everything that is wrong with it", check_plan);
  add("show", "print its digest, people and steps, to be reviewed", show_plan);
}

void add_ceremony(CLI::App& app, Chosen& chosen) {
  CLI::App& ceremony =
      command(app, "ceremony", "make a vault before its custodians, by a plan",
              "  cardvault ceremony plan show plan.toml\n"
              "  cardvault ceremony run plan.toml --dir /var/lib/cardvault --rehearse\n"
              "  cardvault ceremony run plan.toml --dir /var/lib/cardvault\n"
              "  cardvault ceremony verify /var/lib/cardvault/custody/transcript.1");
  ceremony.require_subcommand(1);
  add_plan(ceremony, chosen);

  CLI::App& run = command(ceremony, "run", "hold the ceremony; what was broken off goes on",
                          "  cardvault ceremony run plan.toml --dir /var/lib/cardvault");
  const auto options = std::make_shared<CeremonyOptions>();
  run.add_option("FILE", options->plan, "the plan")->required();
  run.add_option("--dir", options->dir, "where the vault goes")->required();
  run.add_flag("--rehearse", options->rehearse, "on a SoftHSM token that is thrown away");
  run.callback([&chosen, options] {
    chosen = [options](const Context& context) { return run_ceremony(context, *options); };
  });

  CLI::App& verify = command(ceremony, "verify", "check a transcript, with nothing but the file",
                             "  cardvault ceremony verify transcript.1\n"
                             "  cardvault ceremony verify transcript.2 --previous transcript.1");
  struct Files {
    std::string path, previous;
  };
  const auto files = std::make_shared<Files>();
  verify.add_option("FILE", files->path, "the transcript")->required();
  verify.add_option("--previous", files->previous, "the transcript that a reshare's continues");
  verify.callback([&chosen, files] {
    chosen = [files](const Context& context) {
      return verify_transcript(context, files->path, files->previous);
    };
  });
}

void add_reshare(CLI::App& share, Chosen& chosen) {
  CLI::App& app =
      command(share, "reshare", "new shares of the same secret, for a lost medium",
              "  cardvault share reshare so-pin --transcript transcript.1 --out transcript.2\n"
              "  cardvault share reshare so-pin --transcript transcript.1 --out transcript.2 \\\n"
              "    --medium anna=/media/anna2");
  const auto options = std::make_shared<ReshareOptions>();
  app.add_option("SECRET", options->secret, "so-pin, user-pin or backup-key")->required();
  app.add_option("--transcript", options->transcript, "the newest one")->required();
  app.add_option("--out", options->out, "the new transcript, beside the old one")->required();
  app.add_option("--medium", options->mediums, "CUSTODIAN=FOLDER: another than in the plan");
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return reshare(context, *options); };
  });
}

void add_share(CLI::App& app, Chosen& chosen) {
  CLI::App& share = command(app, "share", "custodians' shares of the vault's secrets",
                            "  cardvault share list --transcript transcript.1\n"
                            "  cardvault share drill --transcript transcript.1");
  share.require_subcommand(1);
  const auto add = [&](const char* name, const char* what, auto act) {
    CLI::App& sub =
        command(share, name, what,
                (std::string("  cardvault share ") + name + " --transcript transcript.1").c_str());
    const auto path = std::make_shared<std::string>();
    sub.add_option("--transcript", *path, "the newest one")->required();
    sub.callback([&chosen, path, act] {
      chosen = [path, act](const Context& context) { return act(context, *path); };
    });
  };
  add("list", "whose shares there are, and when each was last proven", list_shares);
  add("drill", "prove that a share is still good, without rebuilding anything", drill_share);
  add_reshare(share, chosen);

  CLI::App& renew = command(
      share, "renew", "new PINs and a new backup key, for the custodians of a new plan",
      "  cardvault share renew plan-without-anna.toml\n"
      "The vault is stopped, or sealed, meanwhile. The plan names the same token; custodians and\n"
      "thresholds may differ. Broken off, the same command goes on or begins anew: keep old and\n"
      "new shares until it has come to its end.");
  const auto plan = std::make_shared<std::string>();
  renew.add_option("FILE", *plan, "the new plan, reviewed by everybody in it")->required();
  renew.callback([&chosen, plan] {
    chosen = [plan](const Context& context) { return renew_secrets(context, *plan); };
  });

  CLI::App& leave = command(share, "leave", "record that a custodian left; what to do then",
                            "  cardvault share leave anna --transcript transcript.1");
  struct Leave {
    std::string name, path;
  };
  const auto who = std::make_shared<Leave>();
  leave.add_option("CUSTODIAN", who->name, "who leaves")->required();
  leave.add_option("--transcript", who->path, "the newest one")->required();
  leave.callback([&chosen, who] {
    chosen = [who](const Context& context) {
      return record_leaving(context, who->path, who->name);
    };
  });
}

void add_draft(CLI::App& custodian, Chosen& chosen) {
  CLI::App& app =
      command(custodian, "draft", "draw up a new register, to be signed by everybody in it",
              "  cardvault custodian draft --needed 2 --custodian anna=p256:02… \\\n"
              "    --custodian bolat=p256:03… --custodian carol=p256:02… --out custodians");
  const auto options = std::make_shared<RegisterDraft>();
  app.add_option("--needed", options->needed, "how many approve an act")->required();
  app.add_option("--custodian", options->custodians, "NAME=KEY, as `custodian key show` prints it")
      ->required();
  app.add_option("--out", options->out, "the new file")->required();
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return draft_register(context, *options); };
  });
}

void add_register(CLI::App& custodian, Chosen& chosen) {
  add_plain(custodian, chosen, "list", "who approves what takes a quorum", "custodians.list",
            "  cardvault custodian list");
  add_draft(custodian, chosen);
  CLI::App& sign = command(custodian, "sign", "sign a drafted register, as one who is in it",
                           "  cardvault custodian sign custodians --key anna.key");
  const auto options = std::make_shared<RegisterSigning>();
  sign.add_option("FILE", options->path, "the register")->required();
  sign.add_option("--key", options->key, "your key file, or pkcs11: URI of your card")->required();
  sign.add_option("--digest", options->digest, "sign only this digest, without asking (for tests)");
  sign.add_option("--passphrase-fd", options->passphrase_fd,
                  "read the passphrase from this descriptor (for tests)");
  sign.callback([&chosen, options] {
    chosen = [options](const Context& context) { return sign_register(context, *options); };
  });
  CLI::App& app = command(
      custodian, "register", "have the vault ask these custodians from now on",
      "  cardvault custodian register /var/lib/cardvault/custody/custodians\n"
      "A ceremony does the first registration itself. Another register takes the quorum of\n"
      "the one before.");
  const auto path = std::make_shared<std::string>();
  app.add_option("FILE", *path, "the register, signed by everybody in it")->required();
  app.callback([&chosen, path] {
    chosen = [path](const Context& context) { return register_custodians(context, *path); };
  });
}

void add_unseal(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = command(app, "unseal", "open a sealed vault with shares of its PIN",
                          "  cardvault unseal\n"
                          "Each custodian types a share, or names its file and opens it; it is "
                          "checked at once.");
  sub.callback([&chosen] { chosen = unseal; });
}

void add_custodian(CLI::App& app, Chosen& chosen) {
  CLI::App& custodian = command(app, "custodian", "a custodian's own key",
                                "  cardvault custodian key create /media/anna/anna.key");
  custodian.require_subcommand(1);
  add_register(custodian, chosen);
  CLI::App& key =
      command(custodian, "key", "key files and smartcards",
              "  cardvault custodian key create /media/anna/anna.key\n"
              "  cardvault custodian key show "
              "'pkcs11:token=anna;object=sign?module-path=/usr/lib/…/opensc-pkcs11.so'");
  key.require_subcommand(1);
  struct Options {
    std::string place;
    int fd = -1;
  };
  const auto add = [&](const char* name, const char* what, const char* place, auto act) {
    CLI::App& sub = command(
        key, name, what, (std::string("  cardvault custodian key ") + name + " anna.key").c_str());
    const auto options = std::make_shared<Options>();
    sub.add_option(place, options->place, "where the key is")->required();
    sub.add_option("--passphrase-fd", options->fd, "read it from this descriptor (for tests)");
    sub.callback([&chosen, options, act] {
      chosen = [options, act](const Context& context) {
        return act(context, options->place, options->fd);
      };
    });
  };
  add("create", "make a key in a file, under a passphrase; prints the line for the plan", "FILE",
      create_custodian_key);
  add("show", "open a key and print its public half", "FILE|URI", show_custodian_key);
}

void add_new_action(CLI::App& action, Chosen& chosen) {
  CLI::App& app = command(action, "new", "write down one exact act for custodians to approve",
                          "  cardvault action new key.destroy --argument label=pan-enc/1 \\\n"
                          "    --custodians custody/custodians --out destroy.action");
  const auto options = std::make_shared<NewAction>();
  std::string verbs;
  for (const std::string_view verb : custody::kQuorumVerbs) {
    verbs += (verbs.empty() ? "" : ", ") + std::string(verb);
  }
  app.add_option("VERB", options->verb, "the act: " + verbs)->required();
  app.add_option("--argument", options->arguments, "NAME=VALUE, any number of them");
  auto* vault = app.add_option("--vault", options->vault, "the vault's id");
  app.add_option("--custodians", options->custodians, "the register, which names the vault")
      ->excludes(vault);
  app.add_option("--hours", options->hours, "until it expires")
      ->check(CLI::Range(1, 168))
      ->capture_default_str();
  app.add_option("--out", options->out, "the new file")->required();
  app.callback([&chosen, options] {
    if (options->vault.empty() && options->custodians.empty()) {
      throw CLI::RequiredError("--vault or --custodians");
    }
    chosen = [options](const Context& context) { return new_action(context, *options); };
  });
}

void add_action(CLI::App& app, Chosen& chosen) {
  CLI::App& action = command(app, "action", "acts that need the custodians' quorum",
                             "  cardvault action show destroy.action\n"
                             "  cardvault action check destroy.action --custodians "
                             "custody/custodians *.approval");
  action.require_subcommand(1);
  add_new_action(action, chosen);
  CLI::App& show = command(action, "show", "print an action and its digest",
                           "  cardvault action show destroy.action");
  const auto path = std::make_shared<std::string>();
  show.add_option("FILE", *path, "the action")->required();
  show.callback([&chosen, path] {
    chosen = [path](const Context& context) { return show_action(context, *path); };
  });
  CLI::App& check = command(action, "check", "whether these approvals are a quorum",
                            "  cardvault action check destroy.action --custodians "
                            "custody/custodians *.approval");
  struct Options {
    std::string path, custodians;
    std::vector<std::string> approvals;
  };
  const auto options = std::make_shared<Options>();
  check.add_option("FILE", options->path, "the action")->required();
  check.add_option("APPROVAL", options->approvals, "files of `cardvault approve`");
  check.add_option("--custodians", options->custodians, "the register")->required();
  check.callback([&chosen, options] {
    chosen = [options](const Context& context) {
      return check_action(context, options->path, options->custodians, options->approvals);
    };
  });
}

void add_approve(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = command(app, "approve", "sign an action as a custodian, with no vault near",
                          "  cardvault approve --action destroy.action --key anna.key");
  const auto options = std::make_shared<ApproveOptions>();
  sub.add_option("--action", options->action, "the action's file")->required();
  sub.add_option("--key", options->key, "your key file, or pkcs11: URI of your card")->required();
  sub.add_option("--out", options->out, "the approval's file (default: beside the action)");
  sub.add_option("--digest", options->digest, "sign only this digest, without asking (for tests)");
  sub.add_option("--passphrase-fd", options->passphrase_fd,
                 "read the passphrase from this descriptor (for tests)");
  sub.callback([&chosen, options] {
    chosen = [options](const Context& context) { return approve(context, *options); };
  });
}

}  // namespace

void add_custody_commands(CLI::App& app, Chosen& chosen) {
  add_ceremony(app, chosen);
  add_share(app, chosen);
  add_custodian(app, chosen);
  add_action(app, chosen);
  add_approve(app, chosen);
  add_unseal(app, chosen);
}

}  // namespace cardvault::provisioning
