use ingle::*;
fn main(){ let a:Vec<String>=std::env::args().collect(); let m=Model::load(&a[1]).unwrap_or_else(|e|panic!("{e}"));
 if a[2]=="run" { let r=m.chat(a[3].as_str()).max_tokens(64).run().unwrap(); println!("{} {:?}",r.text,r.usage); return; }
 let text=std::fs::read_to_string(&a[2]).unwrap(); let t=std::time::Instant::now();
 let p=perplexity::run(&m,&text,512,Some(a[3].parse().unwrap()),|_,p| eprintln!("[{}] {:.4}",p.chunks,p.ppl)).unwrap(); println!("{p:?} {:?}",t.elapsed()); }
