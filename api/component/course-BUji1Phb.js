import{C as e,G as t,J as n,K as r,O as i,T as a,d as o,j as s,u as c,v as l,y as u}from"./session-booking.js";var d={duration:`Duration`,anyCoach:`Any coach`,payment:`Payment`,credit:(e,t)=>`${e}: ${t}`,bundle:`Bundle`,byCredits:{one:`Paid with a session of your bundle`,other:`Paid with {n} sessions of your bundle`},lateCredit:`A late cancellation uses up the session of your bundle.`,noPayment:`This course has nothing on sale for this duration.`,credits:{one:`{n} session left`,other:`{n} sessions left`}},f={duration:`Dauer`,anyCoach:`Alle Coaches`,payment:`Bezahlung`,credit:(e,t)=>`${e}: ${t}`,bundle:`Paket`,byCredits:{one:`Mit einer Sitzung Ihres Pakets bezahlt`,other:`Mit {n} Sitzungen Ihres Pakets bezahlt`},lateCredit:`Bei später Stornierung ist die Sitzung Ihres Pakets verbraucht.`,noPayment:`Für diese Dauer gibt es in diesem Kurs kein Angebot.`,credits:{one:`noch {n} Sitzung`,other:`noch {n} Sitzungen`}};function p(e){return s(`course`,{en:d,de:f},e)}async function m(e,t,n){let r={open:!0,signal:n},{mentorId:i}=t,a=t.courseId??``,[{course:s,products:l},u,d]=await Promise.all([e.get(`/courses/${a}/support-options`,{},r),c(e,`/mentors`,{courseId:a},r),c(e,`/listings`,{courseId:a},r)]),f=u.map(e=>o(e,d)).filter(({mentor:e})=>!i||e.id===i);return{course:s,products:l.filter(e=>e.active),offers:f}}function h(e){let t=e.flatMap(e=>e.listings.map(e=>e.durationMinutes));return[...new Set(t)].sort((e,t)=>e-t)}async function g({client:e,store:n},r,i){let a=(await c(e,`/bundles`,{},{signal:i}).catch(()=>[])).filter(({courseId:e,status:t})=>e===n.state.course?.id&&t===`active`);n.update({bundles:a});let o=_(n.state),s=r??t(n.state.payment);n.update({payment:o.find(e=>t(e)===s)??o[0]??null})}function _(e){let t=t=>t===null||t===e.durationMinutes,n=e.bundles.filter(n=>{let r=e.products.find(e=>e.id===n.productId);return!r||t(r.durationMinutes)}),r=e.products.filter(e=>e.kind===`single`&&t(e.durationMinutes));return[...n.map(e=>({kind:`bundle`,bundle:e})),...r.map(e=>({kind:`product`,product:e}))]}function v({course:e,payment:t}){let n=t?.kind===`bundle`?{bundlePurchaseId:t.bundle.id}:{productId:t?.product.id};return{courseId:e?.id,...n}}function y(e,t){return l(e,t,p(e).byCredits)}function b(e){let{words:t,state:a,flow:o}=e,s=p(e),c=h(a.offers);return n`<div class="columns" ?hidden=${a.slot!==null}>
    ${c.length>1?n`<label class="field"
          ><span>${s.duration}</span>
          <select data-value=${a.durationMinutes} @change=${e=>o.chooseDuration(Number(i(e)))}>
            ${c.map(t=>n`<option value=${t}>
                  ${u(e,t)}
                </option>`)}
          </select></label
        >`:r}
    ${a.offers.length>1?n`<label class="field"
          ><span>${t.card.coach}</span>
          <select data-value=${a.mentorId??``} @change=${e=>o.chooseMentor(i(e)||null)}>
            <option value="">${s.anyCoach}</option>
            ${a.offers.map(({mentor:e})=>n`<option value=${e.id}>${e.name}</option>`)}
          </select></label
        >`:r}
  </div>`}function x(e){return n`${S(e)} ${C(e)}`}function S({words:e,state:t,flow:a}){let o=t.offers.filter(({mentor:e})=>t.slot?.mentorProfileIds.includes(e.id));return o.length<2?r:n`<label class="field"
    ><span>${e.card.coach}</span>
    <select data-value=${t.slotMentorId} @change=${e=>a.chooseSlotMentor(i(e))}>
      ${o.map(({mentor:e})=>n`<option value=${e.id}>${e.name}</option>`)}
    </select></label
  >`}function C(i){let{state:a,flow:o}=i,s=p(i),c=_(a);return c.length?c.length===1?r:n`<fieldset class="offers">
    <legend>${s.payment}</legend>
    ${c.map(e=>n`<label class="offer"
        ><input
          type="radio"
          name="payment"
          .checked=${t(e)===t(a.payment)}
          @change=${()=>o.choosePayment(e)}
        />
        ${w(i,e)}</label
      >`)}
  </fieldset>`:e(`warning`,s.noPayment)}function w(e,t){let{state:r}=e,i=p(e);if(t.kind===`product`)return n`<span><b>${t.product.title}</b></span><b class="price">${a(e,t.product.price)}</b>`;let{productId:o,remainingSessions:s}=t.bundle,c=r.products.find(e=>e.id===o)?.title??i.bundle;return n`<span>${i.credit(c,l(e,s,i.credits))}</span>`}export{p as courseWords,y as creditsText,h as durationsOf,m as loadCourse,v as paymentOf,_ as paymentsFor,g as proposePayment,b as renderChoice,x as renderFields};