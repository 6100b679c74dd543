// Claim   The way of a mail follows from sender, recipients and our domains, subdomains included; every address that leads to
//         a mailbox is known, over any number of steps, whatever the form of the map.
// Method  Tables of addresses; maps in the forms of virtual(5) and aliases(5), with loops.
// Teeth   Each direction has a case on both sides of each border; answers are compared whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "engine/people/aliases.h"
#include "engine/people/own_domains.h"

namespace arch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(OwnDomains, HoldSubdomainsAndNothingThatOnlyLooksAlike) {
  const OwnDomains own({"Vignes.example", "maison.example", "vignes.example"});
  EXPECT_THAT(own.domains(), ElementsAre("maison.example", "vignes.example"));
  for (const char* ours :
       {"a@vignes.example", "A@VIGNES.EXAMPLE", "a@mx.vignes.example", "\"x@y\"@maison.example", "a@vignes.example."})
    EXPECT_TRUE(own.holds(ours)) << ours;
  for (const char* other : {"a@lesvignes.example", "a@vignes.example.org", "vignes.example", "a@example", "", "a@"})
    EXPECT_FALSE(own.holds(other)) << other;
}

TEST(OwnDomains, TellTheWayOfAMail) {
  const OwnDomains own({"nous.example"});
  const std::string us = "a@nous.example", us2 = "b@nous.example", them = "x@eux.example";
  EXPECT_EQ(own.direction(them, false, {us}), Direction::kIncoming);
  EXPECT_EQ(own.direction(them, false, {}), Direction::kIncoming);
  EXPECT_EQ(own.direction(them, false, {them}), Direction::kIncoming);
  EXPECT_EQ(own.direction("", false, {us}), Direction::kIncoming);
  EXPECT_EQ(own.direction(us, false, {us2}), Direction::kInternal);
  EXPECT_EQ(own.direction(us, false, {us2, them}), Direction::kOutgoing);
  EXPECT_EQ(own.direction(us, false, {them}), Direction::kOutgoing);
  EXPECT_EQ(own.direction(us, false, {}), Direction::kUnknown);
  EXPECT_EQ(own.direction(them, true, {them}), Direction::kOutgoing)
      << "a login of ours speaks for a foreign address";
  EXPECT_EQ(OwnDomains().direction(us, true, {us}), Direction::kUnknown);
}

TEST(Aliases, AreReadAsPostfixReadsThem) {
  Aliases aliases;
  aliases.add(
      "# comment\n"
      "orders@ex.fr   commandes@ex.fr, Paul@ex.fr\n"
      "  , lea@ex.fr\n"
      "\n"
      "Bestellung@EX.fr commandes@ex.fr\r\n"
      "@vieux.fr commandes@ex.fr\n"
      "achats@ex.fr\torders@ex.fr\n"
      "boucle@ex.fr ronde@ex.fr\n"
      "ronde@ex.fr boucle@ex.fr\n"
      "\"un deux\"@ex.fr lea@ex.fr\n");
  EXPECT_THAT(aliases.of("commandes@ex.fr"),
              ElementsAre("@vieux.fr", "achats@ex.fr", "bestellung@ex.fr", "orders@ex.fr"));
  EXPECT_THAT(aliases.of("LEA@ex.fr"), ElementsAre("\"un deux\"@ex.fr", "achats@ex.fr", "orders@ex.fr"));
  EXPECT_THAT(aliases.of("ronde@ex.fr"), ElementsAre("boucle@ex.fr"));
  EXPECT_THAT(aliases.of("personne@ex.fr"), IsEmpty());
  EXPECT_THAT(aliases.of_name("Commandes"),
              ElementsAre("@vieux.fr", "achats@ex.fr", "bestellung@ex.fr", "orders@ex.fr"));
  EXPECT_THAT(aliases.of_name("commande"), IsEmpty());
}

TEST(Aliases, LocalNamesAndWhatLeadsNowhere) {
  Aliases aliases;
  aliases.add(
      "postmaster: root\nroot: paul@ex.fr\nrobot: |/usr/bin/robot, :include:/etc/x, /var/mail/x\nnews:\n: "
      "y\n\"open\n");
  EXPECT_THAT(aliases.of("paul@ex.fr"), ElementsAre("postmaster", "root"));
  EXPECT_THAT(aliases.of("|/usr/bin/robot"), IsEmpty());
}

TEST(Aliases, AreLoadedByTheNamesThatPostfixUses) {
  std::string path = testing::TempDir() + "arch-aliases-XXXXXX";
  const int made = mkstemp(path.data());
  ASSERT_GE(made, 0);
  close(made);
  std::ofstream(path) << "orders@ex.fr commandes@ex.fr\n";
  for (const std::string& name : {path, "hash:" + path, "texthash:" + path}) {
    auto aliases = Aliases::load({name});
    ASSERT_TRUE(aliases) << aliases.error().what;
    EXPECT_THAT(aliases->of("commandes@ex.fr"), ElementsAre("orders@ex.fr"));
  }
  // Where there is no text, postmap knows; stood in for by a script.
  const std::string folder = path + ".bin";
  std::filesystem::create_directory(folder);
  std::ofstream(folder + "/postmap") << "#!/bin/sh\n[ \"$1 $2\" = \"-s hash:" << folder << "/map\" ] || exit 1\n"
                                     << "printf 'orders@ex.fr\\tcommandes@ex.fr\\n'\n";
  std::filesystem::permissions(folder + "/postmap", std::filesystem::perms::owner_all);
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", (folder + ":" + before).c_str(), 1);
  auto asked = Aliases::load({"hash:" + folder + "/map"});
  ASSERT_TRUE(asked) << describe(asked.error());
  EXPECT_EQ(asked->of("commandes@ex.fr"), std::vector<std::string>({"orders@ex.fr"}));
  EXPECT_EQ(Aliases::load({"ldap:" + folder + "/map"}).error().code, Code::kUsage);
  ::setenv("PATH", "/nonexistent", 1);
  EXPECT_EQ(Aliases::load({"ldap:" + folder + "/map"}).error().code, Code::kNotFound);
  ::setenv("PATH", before.c_str(), 1);
  std::filesystem::remove_all(folder);
  auto regexp = Aliases::load({"regexp:" + path});
  ASSERT_FALSE(regexp);
  EXPECT_EQ(regexp.error().code, Code::kUsage);
  std::remove(path.c_str());
  auto missing = Aliases::load({path});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST(Aliases, AMapOfAnySizeAndShapeIsBounded) {
  Aliases chain;
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += "a" + std::to_string(i + 1) + "@x a" + std::to_string(i) + "@x\n";
  chain.add(text);
  EXPECT_LE(chain.of("a0@x").size(), Aliases::kMaxAnswers);
  EXPECT_GE(chain.of("a0@x").size(), Aliases::kMaxAnswers - 1);
}

}  // namespace
}  // namespace arch
